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

    def future(self, tokens: Tokens, prefix: Prefix) -> tuple[object, ...]:
        """What tells what may still follow and what it earns, but for a constant; without all that, the past."""
        if not self.entities and self.speaker is None:
            return tokens
        closed, part, gaps = prefix.closed, prefix.part, prefix.gaps
        opens: list[object] = []
        for start in range(len(closed) + 1 if self.entities else 0):
            matched = " ".join([*closed[start:], part])
            if not any(p.startswith(matched) for p in self.pays):
                continue
            opens.append(matched)
            if start < len(closed):
                opens.append(self.settled(closed[:start], gaps[:start]) - self.settled(closed, gaps))
                boosts = self.o.adaptive and any(weight > 0 for weight in self.weights.values())
                opens.append(boosts and sum(gaps[start:]))  # where all are discouraged, nobody asks
                if self.speaker is not None and self.o.unigram:
                    opens += [self.speaker.boosted(closed[:start]), self.speaker.words(closed, start)]
        history = self.speaker.history(closed) if self.speaker is not None else ()
        spelled = self.speaker.spelled(part) if self.speaker is not None else ""
        return (tokens[-1:], history, spelled, *(round(x, 2) if isinstance(x, float) else x for x in opens))

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
        prefix = self.beam[tokens]
        text = write(prefix.text, v)
        grown = len(text.split(" ")) - len(prefix.text.split(" "))
        gaps = (*prefix.gaps, *([prefix.gap, 0.0, 0.0][:grown]))
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
        ranks, settled = {}, {}
        for tokens, prefix in after.items():
            bias, _, certain = self.worth.ranking(prefix)
            rest = prefix.total + self.worth.spoken(prefix)
            ranks[tokens], settled[tokens] = rest + bias, rest + certain
        floor = max(settled.values()) - self.o.beam_threshold
        able = [t for t in after if ranks[t] > NEVER and ranks[t] >= floor]
        futures = {t: self.worth.future(t, after[t]) for t in able}
        best = self.best_of_each(able, ranks, futures)
        kept = best[: self.o.beam]
        lowest = ranks[kept[-1]] if len(best) >= self.o.beam else NEVER
        if self.worth.entities:
            sure = self.best_of_each([t for t in able if settled[t] >= floor], settled, futures)
            kept += [t for t in sure[: self.o.settled_beam] if t not in kept]
        if self.worth.entities or self.worth.speaker is not None:
            others = [t for t in able if t not in kept and ranks[t] >= lowest]
            kept += sorted(others, key=lambda t: -ranks[t])[: self.o.nbest]
        self.beam = {t: after[t] for t in sorted(kept, key=lambda t: -ranks[t])}

    def best_of_each(
        self, able: list[Tokens], score: dict[Tokens, float], futures: dict[Tokens, tuple[object, ...]]
    ) -> list[Tokens]:
        """The best of each future, best first."""
        best: dict[tuple[object, ...], Tokens] = {}
        for tokens in sorted(able, key=lambda t: -score[t]):
            best.setdefault(futures[tokens], tokens)
        return list(best.values())

    def found(self) -> list[tuple[Tokens, float, float, float]]:
        """Tokens, acoustic, bias, lm; best first."""
        rows = [(t, p.total, self.worth.final(p), self.worth.spoken_to_end(p)) for t, p in self.beam.items()]
        return sorted(rows, key=lambda row: -sum(row[1:]))[: self.o.nbest]
