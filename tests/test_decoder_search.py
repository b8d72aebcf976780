"""The pruned search against the same search written for reading: its bounds and short cuts must change nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.decoder import DecodeOptions, Decoder
from asrbias.entities import Entity

LABELS = ["▁", "▁a", "a", "<blank>", "b", "▁ab", "ab▁b", "▁b", "ba"]
BLANK = LABELS.index("<blank>")
NEVER = -math.inf

words = st.text("ab", min_size=1, max_size=4)
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)
weights = st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0])


class Biasing:
    """What a prefix is worth while the search goes on, from its text alone."""

    def __init__(self, entities: Sequence[Entity], bonus: float) -> None:
        largest: dict[str, float] = {}
        for e in entities:
            largest[e.phrase] = max(e.weight, largest.get(e.phrase, NEVER))
        self.pays = {p: bonus * w * len(p) ** 2 / (len(p) + 4.0) for p, w in largest.items()}

    def settled(self, spoken: Sequence[str]) -> float:
        """The best parse of whole words."""
        if not spoken:
            return 0.0
        best = self.settled(spoken[:-1])
        for p, pay in self.pays.items():
            n = len(p.split())
            if pay >= 0 and tuple(spoken[-n:]) == tuple(p.split()):
                best = max(best, self.settled(spoken[:-n]) + pay)
        return best

    def penalty(self, spoken: Sequence[str]) -> float:
        text = f" {' '.join(spoken)} ".replace(" ", "  ")
        return sum(pay * text.count(f" {p.replace(' ', '  ')} ") for p, pay in self.pays.items() if pay < 0)

    def ranking(self, text: str) -> tuple[float, bool, float]:
        """Settled and provisional; whether a match is open; settled alone. text: every word behind one space."""
        *closed, part = text.split(" ")[1:]
        settled = best = self.settled(closed)
        for start in range(len(closed) + 1):
            matched = " ".join([*closed[start:], part])
            slopes = [pay / len(p) for p, pay in self.pays.items() if p.startswith(matched) and pay > 0]
            best = max(best, self.settled(closed[:start]) + max(slopes, default=0.0) * len(matched))
        return best + self.penalty(closed), best > settled + 1e-6, settled + self.penalty(closed)

    def final(self, text: str) -> float:
        return self.settled(text.split()) + self.penalty(text.split())


def write(text: str, token: int) -> str:
    for c in LABELS[token].replace("▁", " "):
        text += "" if c == " " and text.endswith(" ") else c
    return text


def plain_search(
    log_probs: np.ndarray, biasing: Biasing, o: DecodeOptions
) -> list[tuple[tuple[int, ...], float, float]]:
    """(tokens, acoustic, bias), best first: prefix beam search in a dict."""
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, NEVER)}
    texts = {(): " "}
    for row in log_probs.astype(np.float64):
        ranked = sorted((v for v in range(len(row)) if v != BLANK), key=lambda v: (-row[v], v))
        after: dict[tuple[int, ...], list[float]] = {p: [NEVER, NEVER] for p in beam}
        for prefix, (blank, label) in beam.items():
            total = np.logaddexp(blank, label)
            after[prefix][0] = np.logaddexp(after[prefix][0], total + row[BLANK])
            if prefix:
                after[prefix][1] = np.logaddexp(after[prefix][1], label + row[prefix[-1]])
            for rank, v in enumerate(ranked):
                longer = (*prefix, v)
                texts[longer] = write(texts[prefix], v)
                by_sound = rank < o.top_k and row[v] >= row.max() - o.token_threshold
                by_phrase = row[v] >= row.max() - o.phrase_threshold and biasing.ranking(texts[longer])[1]
                if longer in beam or by_sound or by_phrase:
                    gained = (blank if prefix and prefix[-1] == v else total) + row[v]
                    after.setdefault(longer, [NEVER, NEVER])[1] = np.logaddexp(after.get(longer, (0, NEVER))[1], gained)
        ranks = {p: np.logaddexp(*ends) + biasing.ranking(texts[p])[0] for p, ends in after.items()}
        kept = sorted((p for p in after if ranks[p] > NEVER), key=lambda p: -ranks[p])[: o.beam]
        least = max(np.logaddexp(*ends) + biasing.ranking(texts[p])[2] for p, ends in after.items()) - o.beam_threshold
        beam = {p: (after[p][0], after[p][1]) for p in kept if ranks[p] >= least}
    found = [(p, float(np.logaddexp(*ends)), biasing.final(texts[p])) for p, ends in beam.items()]
    return sorted(found, key=lambda f: -(f[1] + f[2]))


options = st.builds(
    DecodeOptions,
    beam=st.integers(1, 7),
    nbest=st.just(100),
    top_k=st.integers(1, 9),
    token_threshold=st.sampled_from([1.0, 3.0, math.inf]),
    phrase_threshold=st.sampled_from([2.0, 5.0, math.inf]),
    beam_threshold=st.sampled_from([2.0, 6.0, math.inf]),
    bonus=st.sampled_from([0.0, 0.5, 1.0, 4.0]),
)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1, 10),
    entities=st.lists(st.builds(lambda p, w: Entity(p, weight=w), phrases, weights), max_size=8),
    o=options,
)
def test_equals_a_plain_search(seed: int, frames: int, entities: list[Entity], o: DecodeOptions) -> None:
    logits = np.random.default_rng(seed).normal(scale=2.5, size=(frames, len(LABELS)))
    log_probs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    expected = plain_search(log_probs, Biasing(entities, o.bonus), o)
    found = Decoder(LABELS, blank=BLANK, options=o).decode(log_probs, entities)
    assert {h.tokens for h in found} == {tokens for tokens, _, _ in expected}
    scores = {tokens: (acoustic, bias) for tokens, acoustic, bias in expected}
    for h in found:
        assert (h.acoustic, h.bias) == pytest.approx(scores[h.tokens], abs=1e-4)
    assert found[0].score == pytest.approx(expected[0][1] + expected[0][2], abs=1e-4)
