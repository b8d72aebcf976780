"""The beam search written for reading: what the native one must equal whatever it prunes and remembers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from asrbias.decoder import DecodeOptions
from asrbias.entities import Entity
from tests.lm_oracle import Speaker

LABELS = ["▁", "▁a", "a", "<blank>", "b", "▁ab", "ab▁b", "▁b", "ba"]
BLANK = LABELS.index("<blank>")
NEVER = -math.inf
Tokens = tuple[int, ...]


@dataclass
class Prefix:
    """Of the beam; a text has every word behind one space."""

    text: str
    blank: float
    label: float
    gap: float  # of the open word
    gaps: tuple[float, ...] = ()  # of the closed ones

    @property
    def total(self) -> float:
        return float(np.logaddexp(self.blank, self.label))

    @property
    def closed(self) -> list[str]:
        return self.text.split(" ")[1:-1]

    @property
    def part(self) -> str:
        return self.text.split(" ")[-1]


@dataclass
class Worth:
    """What a prefix is worth beside its acoustics."""

    entities: Sequence[Entity]
    o: DecodeOptions
    speaker: Speaker | None
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for e in self.entities:
            self.weights[e.phrase] = max(e.weight, self.weights.get(e.phrase, NEVER))
        self.pays = {p: self.o.bonus * w * len(p) ** 2 / (len(p) + 4.0) for p, w in self.weights.items()}

    def extra(self, phrases: Sequence[str], spoken: Sequence[str], start: int, gap: float, part: str | None) -> float:
        """Adaptive and unigram boosting of a match of one of `phrases`, from word `start` on."""
        boosted = [p for p in phrases if self.weights[p] > 0]
        if not boosted:
            return 0.0
        nats = self.o.adaptive * gap
        if self.speaker is not None:
            lm = self.speaker.words(spoken, start) + (self.speaker.open(part) if part is not None else 0.0)
            likeliest = max(boosted, key=lambda p: self.weights[p])
            nats += self.speaker.gain(likeliest, spoken[:start], lm)
        return nats

    def settled(self, spoken: Sequence[str], gaps: Sequence[float]) -> float:
        """The best parse of whole words."""
        if not spoken:
            return 0.0
        best = self.settled(spoken[:-1], gaps[:-1])
        for start in range(len(spoken)):
            phrase = " ".join(spoken[start:])
            if self.weights.get(phrase, NEVER) >= 0:
                pay = self.pays[phrase] + self.extra([phrase], spoken, start, sum(gaps[start:]), None)
                best = max(best, self.settled(spoken[:start], gaps[:start]) + pay)
        return best

    def penalty(self, spoken: Sequence[str]) -> float:
        text = f" {' '.join(spoken)} ".replace(" ", "  ")
        return sum(pay * text.count(f" {p.replace(' ', '  ')} ") for p, pay in self.pays.items() if pay < 0)

    def ranking(self, prefix: Prefix) -> tuple[float, bool, float]:
        """Bias, settled and provisional; whether a match is open; bias, settled alone."""
        closed, part, gaps = prefix.closed, prefix.part, prefix.gaps
        settled = best = self.settled(closed, gaps)
        for start in range(len(closed) + 1):
            matched = " ".join([*closed[start:], part])
            live = [p for p in self.pays if p.startswith(matched)]
            partial = max([self.pays[p] / len(p) for p in live] + [0.0]) * len(matched)
            partial += self.extra(live, closed, start, sum(gaps[start:]) + prefix.gap, part)
            best = max(best, self.settled(closed[:start], gaps[:start]) + partial)
        penalty = self.penalty(closed)
        return best + penalty, best > settled + 1e-6, settled + penalty

    def final(self, prefix: Prefix) -> float:
        words, gaps = [*prefix.closed, prefix.part], (*prefix.gaps, prefix.gap)
        words = words[:-1] if not prefix.part else words
        return self.settled(words, gaps[: len(words)]) + self.penalty(words)

    def spoken(self, prefix: Prefix) -> float:
        return 0.0 if self.speaker is None else self.speaker.words(prefix.closed) + self.speaker.open(prefix.part)

    def spoken_to_end(self, prefix: Prefix) -> float:
        return 0.0 if self.speaker is None else self.speaker.text(prefix.text.split())


def write(text: str, token: int) -> str:
    for c in LABELS[token].replace("▁", " "):
        text += "" if c == " " and text.endswith(" ") else c
    return text


class PlainSearch:
    """Prefix beam search in a dict."""

    def __init__(self, worth: Worth) -> None:
        self.worth, self.o = worth, worth.o
        self.beam: dict[Tokens, Prefix] = {(): Prefix(" ", 0.0, NEVER, 0.0)}
        self.made: dict[Tokens, tuple[float, ...]] = {}  # gaps of the closed words of every prefix that was in the beam

    def arriving(self, tokens: Tokens, v: int, row: np.ndarray) -> float:
        prefix = self.beam[tokens]
        return float((prefix.blank if tokens and tokens[-1] == v else prefix.total) + row[v])

    def gap(self, tokens: Tokens, v: int, row: np.ndarray, leader: float) -> float:
        """Of the open word of `tokens` and v."""
        ranked = sorted((float(row[u]) for u in range(len(row)) if u != BLANK), reverse=True)
        before = 0.0 if "▁" in LABELS[v] else self.beam[tokens].gap
        if LABELS[v] == "▁" or (len(ranked) > self.o.adaptive_top_k and row[v] < ranked[self.o.adaptive_top_k - 1]):
            return before
        prefix = self.beam[tokens]
        score = self.arriving(tokens, v, row) + self.worth.ranking(prefix)[0] + self.worth.spoken(prefix)
        lacks = leader - score if self.o.adaptive_top == "prefix" else float(row.max() - row[v])
        return before + min(max(lacks, 0.0), self.o.adaptive_cap)

    def extend(self, tokens: Tokens, v: int, row: np.ndarray, leader: float) -> Prefix:
        prefix, longer = self.beam[tokens], (*tokens, v)
        text = write(prefix.text, v)
        grown = len(text.split(" ")) - len(prefix.text.split(" "))
        gaps = self.made.get(longer, (*prefix.gaps, *([prefix.gap, 0.0, 0.0][:grown])))
        return Prefix(text, NEVER, self.arriving(tokens, v, row), self.gap(tokens, v, row, leader), gaps)

    def step(self, row: np.ndarray) -> None:
        after: dict[Tokens, Prefix] = {}
        for tokens, was in self.beam.items():  # a blank, the last token again, or the parent's extension
            label = was.label + row[tokens[-1]] if tokens else NEVER
            if tokens and tokens[:-1] in self.beam:
                label = np.logaddexp(label, self.arriving(tokens[:-1], tokens[-1], row))
            after[tokens] = Prefix(was.text, was.total + row[BLANK], float(label), was.gap, was.gaps)
        solid = {t: p.total + self.worth.ranking(p)[2] + self.worth.spoken(p) for t, p in after.items()}
        leader = max(solid.values())
        for tokens, prefix in after.items():
            if tokens and tokens[:-1] in self.beam:
                arriving = self.arriving(tokens[:-1], tokens[-1], row)
                if arriving + math.log(2) > prefix.total:
                    prefix.gap = self.gap(tokens[:-1], tokens[-1], row, leader)
        ranked = sorted((v for v in range(len(row)) if v != BLANK), key=lambda v: (-row[v], v))
        for tokens in self.beam:
            for rank, v in enumerate(ranked):
                if (*tokens, v) in self.beam:
                    continue
                fresh = self.extend(tokens, v, row, leader)
                by_sound = rank < self.o.top_k and row[v] >= row.max() - self.o.token_threshold
                by_phrase = row[v] >= row.max() - self.o.phrase_threshold and self.worth.ranking(fresh)[1]
                if by_sound or by_phrase:
                    after[(*tokens, v)] = fresh
        self.prune(after)

    def prune(self, after: dict[Tokens, Prefix]) -> None:
        ranks, solid = {}, []
        for tokens, prefix in after.items():
            bias, _, settled = self.worth.ranking(prefix)
            rest = prefix.total + self.worth.spoken(prefix)
            ranks[tokens] = rest + bias
            solid.append(rest + settled)
        kept = sorted((t for t in after if ranks[t] > NEVER), key=lambda t: -ranks[t])[: self.o.beam]
        self.beam = {t: after[t] for t in kept if ranks[t] >= max(solid) - self.o.beam_threshold}
        for tokens, prefix in self.beam.items():
            self.made.setdefault(tokens, prefix.gaps)

    def found(self) -> list[tuple[Tokens, float, float, float]]:
        """Tokens, acoustic, bias, lm; best first."""
        rows = [(t, p.total, self.worth.final(p), self.worth.spoken_to_end(p)) for t, p in self.beam.items()]
        return sorted(rows, key=lambda row: -sum(row[1:]))
