"""What a list of phrases pays, against an oracle that enumerates every alignment and every parse."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.decoder import DecodeOptions, Decoder, Hypothesis
from asrbias.entities import Entity, EntityList

CHARACTERS = ["<blank>", " ", "a", "b"]
PIECES = ["▁", "▁a", "a", "<blank>", "b", "▁ab", "ab▁b"]
EVERYTHING = DecodeOptions(
    beam=1_000_000,
    nbest=1_000_000,
    top_k=1000,
    token_threshold=math.inf,
    phrase_threshold=math.inf,
    beam_threshold=math.inf,
)

words = st.text("ab", min_size=1, max_size=3)
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)
weights = st.sampled_from([-3.0, -1.0, 0.0, 0.5, 1.0, 4.0])
lists = st.lists(st.builds(lambda p, w: Entity(p, weight=w), phrases, weights), max_size=6)
seeds = st.integers(0, 2**32 - 1)


def matrix(seed: int, frames: int, size: int, sharpness: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=sharpness, size=(frames, size))
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def enumerate_sequences(log_probs: np.ndarray, blank: int) -> dict[tuple[int, ...], float]:
    """Log-probability of every label sequence, summed over all its alignments."""
    probs = np.exp(log_probs.astype(np.float64))
    total: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(probs.shape[1]), repeat=len(probs)):
        tokens = tuple(token for token, _ in itertools.groupby(path) if token != blank)
        total[tokens] = total.get(tokens, 0.0) + math.prod(probs[t, v] for t, v in enumerate(path))
    return {tokens: math.log(p) for tokens, p in total.items()}


def spell(labels: Sequence[str], tokens: Sequence[int]) -> str:
    return " ".join("".join(labels[t] for t in tokens).replace("▁", " ").split())


def oracle_bias(text: str, entities: Sequence[Entity], bonus: float = 1.0) -> float:
    """The best parse by trying all, and every occurrence of a negative phrase, straight from the definition."""
    largest: dict[str, float] = {}
    for e in entities:
        largest[e.phrase] = max(e.weight, largest.get(e.phrase, -math.inf))
    pays = {tuple(p.split()): w * len(p) ** 2 / (len(p) + 4.0) * bonus for p, w in largest.items()}
    spoken = tuple(text.split())

    def parse(at: int) -> float:
        if at == len(spoken):
            return 0.0
        taken = [pays[p] + parse(at + len(p)) for p in pays if pays[p] >= 0 and spoken[at : at + len(p)] == p]
        return max([parse(at + 1), *taken])

    negative = sum(pays[p] for p in pays if pays[p] < 0 for at in range(len(spoken)) if spoken[at : at + len(p)] == p)
    return parse(0) + negative


def decode(
    labels: Sequence[str], log_probs: np.ndarray, entities: object, options: DecodeOptions = EVERYTHING
) -> list[Hypothesis]:
    return Decoder(labels, blank=labels.index("<blank>"), options=options).decode(log_probs, entities)


@pytest.mark.parametrize(("labels", "frames"), [(CHARACTERS, 5), (PIECES, 4)])
@settings(max_examples=30, deadline=None)
@given(seed=seeds, entities=lists)
def test_wide_beam_equals_enumeration(labels: list[str], frames: int, seed: int, entities: list[Entity]) -> None:
    log_probs = matrix(seed, frames, len(labels))
    blank = labels.index("<blank>")
    expected = enumerate_sequences(log_probs, blank)
    found = decode(labels, log_probs, entities)
    assert {h.tokens for h in found} == set(expected)
    for h in found:
        assert h.text == spell(labels, h.tokens)
        assert h.acoustic == pytest.approx(expected[h.tokens], abs=1e-5)
        assert h.bias == pytest.approx(oracle_bias(h.text, entities), abs=1e-5)
        assert h.score == h.acoustic + h.bias + h.lm
    best = max(expected[t] + oracle_bias(spell(labels, t), entities) for t in expected)
    assert found[0].score == pytest.approx(best, abs=1e-4)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    entities=st.lists(st.builds(lambda p, w: Entity(p, weight=w), phrases, weights), min_size=1, max_size=6),
    data=st.data(),
)
def test_order_of_the_list_changes_nothing(seed: int, entities: list[Entity], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(entities))
    log_probs = matrix(seed, 12, len(PIECES))
    narrow = DecodeOptions(beam=4)
    one, other = (decode(PIECES, log_probs, EntityList(e), narrow) for e in (entities, shuffled))
    assert [(h.tokens, h.acoustic, h.bias) for h in one] == [(h.tokens, h.acoustic, h.bias) for h in other]


@settings(max_examples=40, deadline=None)
@given(seed=seeds, entities=lists)
def test_narrow_beam_pays_the_same_for_the_same_text(seed: int, entities: list[Entity]) -> None:
    for h in decode(PIECES, matrix(seed, 14, len(PIECES)), entities, DecodeOptions(beam=5, bonus=0.7)):
        assert h.bias == pytest.approx(oracle_bias(h.text, entities, 0.7), abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_empty_list_changes_no_byte(seed: int) -> None:
    log_probs = matrix(seed, 20, len(PIECES))
    without = decode(PIECES, log_probs, None, DecodeOptions(beam=6))
    for nothing in ([], EntityList([]), EntityList()):
        assert decode(PIECES, log_probs, nothing, DecodeOptions(beam=6)) == without


@settings(max_examples=40, deadline=None)
@given(seed=seeds, entities=lists)
def test_spans_are_the_best_parse(seed: int, entities: list[Entity]) -> None:
    listed = EntityList(entities)
    for h in decode(CHARACTERS, matrix(seed, 12, len(CHARACTERS)), listed, DecodeOptions(beam=8)):
        spans = {w.entity_span: w.entity for w in h.words if w.entity_span is not None}
        paid = 0.0
        for (first, last), index in spans.items():
            text = " ".join(w.text for w in h.words[first : last + 1])
            assert text == listed[index].phrase
            assert all(w.entity_span == (first, last) for w in h.words[first : last + 1])
            paid += oracle_bias(text, [listed[index]])
        negative = [e for e in listed if e.weight < 0]
        assert paid + oracle_bias(h.text, negative) == pytest.approx(h.bias, abs=1e-5)


# --- readable cases ---


def speak(labels: Sequence[str], *columns: dict[str, float]) -> np.ndarray:
    """A frame a dict of label -> probability; what is left goes to the blank, and a trace to all."""
    probs = np.full((len(columns), len(labels)), 1e-9)
    for t, column in enumerate(columns):
        for label, p in column.items():
            probs[t, labels.index(label)] = p
        probs[t, labels.index("<blank>")] += 1 - sum(column.values())
    return np.log(probs / probs.sum(1, keepdims=True))


LETTERS = ["<blank>", " ", *"abcdefghijklmnopqrstuvwxyz"]


def say(text: str, **doubts: float) -> np.ndarray:
    """The text, a frame a letter; `o=0.3` leaves 0.3 to the letter itself, the rest to the next of the alphabet."""
    columns = [{c: doubts[c], chr(ord(c) + 1): 0.99 - doubts[c]} if c in doubts else {c: 0.99} for c in text]
    spaced = [column for c in columns for column in (c, {})]
    return speak(LETTERS, *spaced)


def best(log_probs: np.ndarray, entities: object, **options: float) -> Hypothesis:
    return decode(LETTERS, log_probs, entities, DecodeOptions(**options))[0]  # type: ignore[arg-type]


def test_a_phrase_that_is_a_prefix_of_another_survives() -> None:
    heard = say("new york now", y=0.2)
    assert best(heard, None).text == "new zork now"
    assert best(heard, ["new york", "new york city hall"]).text == "new york now"


def test_a_match_at_the_end_of_the_audio_keeps_its_bonus() -> None:
    found = best(say("in kyiv", k=0.2), ["kyiv"])
    assert found.text == "in kyiv" and found.bias == pytest.approx(4 * 4 / (4 + 4))


def test_no_bonus_inside_a_longer_word() -> None:
    found = best(say("more"), ["mo", "or", "ore"])
    assert found.text == "more" and found.bias == 0.0 and found.words[0].entity is None


def test_what_is_no_phrase_keeps_nothing() -> None:
    listed = [Entity("abcdef", weight=10), Entity("abcx", weight=0.1)]
    assert best(say("abcde"), listed).bias == 0.0
    assert best(say("abcx"), listed).bias == pytest.approx(0.1 * 16 / 8)


def test_overlapping_phrases_are_not_paid_twice() -> None:
    listed = ["san jose", "jose marti", "jose"]
    found = best(say("san jose marti"), listed)
    assert found.bias == pytest.approx(10 * 10 / 14)
    assert [w.entity for w in found.words] == [None, 1, 1]


def test_negative_weight_discourages_only_its_own_phrase() -> None:
    listed = [Entity("kit", weight=-4), Entity("kitten")]
    assert best(say("kit"), listed, bonus=3.0).text != "kit"
    assert best(say("kitten"), [Entity("kit", weight=-10)], bonus=10.0).text == "kitten"
    assert best(say("kitten", k=0.3), listed).text == "kitten"


def test_repeated_tokens_need_a_blank_between() -> None:
    apart = speak(LETTERS, {"a": 0.9}, {}, {"a": 0.9})
    together = speak(LETTERS, {"a": 0.9}, {"a": 0.9}, {"a": 0.9})
    assert best(apart, None).text == "aa" and best(together, None).text == "a"
    assert best(together, ["aa"], bonus=20.0).text == "aa"  # through the little blank there is


def test_every_segmentation_is_boosted() -> None:
    labels = ["<blank>", "▁k", "yiv", "▁", "k", "y", "i", "v", "iv", "▁ky"]
    ways = [["▁k", "yiv"], ["▁", "k", "y", "i", "v"], ["▁ky", "iv"], ["k", "y", "iv"]]
    for way in ways:
        found = decode(labels, speak(labels, *({piece: 0.9} for piece in way)), ["Kyiv"], DecodeOptions())[0]
        assert found.text == "kyiv" and found.bias == pytest.approx(2.0) and found.words[0].entity == 0


def test_single_token_phrase_below_the_top_k_is_found() -> None:
    labels = ["<blank>", "▁kyiv", *(f"▁{c}" for c in "abcdefgh")]
    column = {f"▁{c}": 0.11 for c in "abcdefgh"} | {"▁kyiv": 0.02}
    log_probs = speak(labels, column)
    options = DecodeOptions(top_k=2, bonus=3.0)
    assert decode(labels, log_probs, ["kyiv"], options)[0].text == "kyiv"
    assert decode(labels, log_probs, ["b", "a"], options)[0].text != "kyiv"


def test_duplicates_pay_once() -> None:
    once, twice = (best(say("kyiv"), names) for names in (["kyiv"], ["Kyiv", "kyiv", "KYIV"]))
    assert once.bias == twice.bias


def test_zero_weight_shows_the_entity_without_a_bonus() -> None:
    found = best(say("kyiv"), [Entity("Kyiv", weight=0.0)])
    assert found.bias == 0.0 and found.words[0].entity == 0


def test_capital_and_accented_labels_match() -> None:
    labels = ["-", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
    index = {label: i for i, label in enumerate(labels)}
    probs = np.full((7, len(labels)), 1e-6)
    for t, letter in enumerate("K-Y-I-V"):
        probs[t, index[letter]] = 1.0
    found = Decoder(labels, blank=0).decode(np.log(probs / probs.sum(1, keepdims=True)), ["Kyiv"])[0]
    assert found.text == "kyiv" and found.words[0].entity == 0
    accented = ["<blank>", " ", "l", "ó", "d", "ź"]
    found = decode(accented, speak(accented, *({c: 0.9} for c in "lódź")), ["Łódź"], DecodeOptions())[0]
    assert found.text == "lódź" and found.words[0].entity == 0
