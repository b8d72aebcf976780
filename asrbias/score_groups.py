"""The same scores for parts of the utterances and for single entities: whom, and which names, a mean hides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asrbias.normalisation import Normaliser
from asrbias.score_formats import lines
from asrbias.score_results import EntityCounts, Occurrence, ScoreInputError, Totals, UtteranceScore, add_up

UNKNOWN = "(unknown)"
LEAST_WORDS = 200  # reference words that a group must have to be named in a gap
LEAST_ENTITIES = 20  # spoken entities that a group must have to be named in a gap of F1


@dataclass(frozen=True)
class Group:
    """The utterances that have one value of a field."""

    field: str
    value: str
    totals: Totals


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups of one field."""

    field: str
    metric: str  # wer, b_wer or f1
    best: str  # the value of the field
    worst: str
    best_rate: float  # percent
    worst_rate: float  # percent

    @property
    def points(self) -> float:
        return abs(self.worst_rate - self.best_rate)


@dataclass(frozen=True)
class EntityRow:
    """One phrase over all utterances."""

    phrase: str  # normalised
    counts: EntityCounts
    seen: bool | None  # whether all its words are in the list of seen words; None without such a list


def group_by(scores: Sequence[UtteranceScore], field: str) -> list[Group]:
    """Totals by the values of a manifest field, the largest group first.

    Raises:
        ScoreInputError: no utterance has the field.
    """
    parts: dict[str, list[UtteranceScore]] = defaultdict(list)
    for score in scores:
        value = score.utterance.fields.get(field)
        parts[UNKNOWN if value is None or value == "" else str(value)].append(score)
    if set(parts) == {UNKNOWN} and not any(field in s.utterance.fields for s in scores):
        names = sorted({n for s in scores for n, v in s.utterance.fields.items() if isinstance(v, (str, int, float))})
        raise ScoreInputError(
            f"No utterance has the field {field!r} to group by; the fields are {', '.join(names) or 'none'}."
        )
    groups = [Group(field, value, add_up(part)) for value, part in parts.items()]
    return sorted(groups, key=lambda g: (-g.totals.wer.ref_words, g.value))


def by_list_size(scores: Sequence[UtteranceScore]) -> list[Group]:
    """Totals by the size of the list that the recognizer was given; the smallest list first."""
    parts: dict[int, list[UtteranceScore]] = defaultdict(list)
    for score in scores:
        parts[nominal_size(list_size(score))].append(score)
    return [Group("list size", f"about {size:,}" if size else "no list", add_up(parts[size])) for size in sorted(parts)]


def list_size(score: UtteranceScore) -> int:
    """Phrases in the list of an utterance, distinct ones."""
    utterance = score.utterance
    if utterance.list_size is not None:
        return utterance.list_size
    phrases = utterance.entities if utterance.list is None else utterance.list
    return len(set(phrases or ()))


def nominal_size(size: int) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 ...: own entities and 100 distractors are a list of about 100."""
    if size == 0:
        return 0
    scale = int(10 ** (len(str(size)) - 1))
    return min((scale, 2 * scale, 5 * scale, 10 * scale), key=lambda n: max(n / size, size / n))


def gaps(groups: Sequence[Group]) -> list[Gap]:
    """The largest gap of each metric within each field, over groups that are known and large enough to tell."""
    found = []
    for field in dict.fromkeys(g.field for g in groups):
        for metric in ("wer", "b_wer", "f1"):
            rates = [(rate, g.value) for g in groups if g.field == field and (rate := _rate(g, metric)) is not None]
            if len(rates) < 2:
                continue
            low, high = min(rates), max(rates)
            best, worst = (high, low) if metric == "f1" else (low, high)
            found.append(Gap(field, metric, best[1], worst[1], best[0], worst[0]))
    return found


def _rate(group: Group, metric: str) -> float | None:
    totals = group.totals
    if group.value == UNKNOWN or totals.wer.ref_words < LEAST_WORDS:
        return None
    if metric == "wer":
        return totals.wer.error_rate
    if totals.entities.spoken < LEAST_ENTITIES:
        return None
    return totals.b_wer.error_rate if metric == "b_wer" else totals.entities.f1


def read_seen(path: Path, normaliser: Normaliser) -> frozenset[str]:
    """The words seen in training: a word a line; what follows a tab (a count) is not read.

    Raises:
        ScoreInputError: a line holds more than a word, so the file is something else.
    """
    words: set[str] = set()
    for number, row in enumerate(lines(path), 1):
        word = row.split("\t")[0].strip()
        if len(word.split()) > 1 or word.startswith(("{", "[")):
            raise ScoreInputError(
                f"Line {number} of {path} is {row[:60]!r}; a list of seen words (--seen) has one word a line."
            )
        words.update(normaliser.words(word))
    if not words:
        raise ScoreInputError(f"The list of seen words {path} is empty.")
    return frozenset(words)


def per_entity(scores: Sequence[UtteranceScore], seen: frozenset[str] | None = None) -> list[EntityRow]:
    """A row a phrase that was spoken or falsely written; the most often missed first."""
    hits: dict[str, int] = defaultdict(int)
    misses: dict[str, int] = defaultdict(int)
    false: dict[str, int] = defaultdict(int)
    for score in scores:
        for occurrences, table in ((score.found, hits), (score.missed, misses), (score.false_hits, false)):
            for occurrence in occurrences:
                table[occurrence.phrase] += 1
    rows = [
        EntityRow(
            phrase,
            EntityCounts(hits.get(phrase, 0), misses.get(phrase, 0), false.get(phrase, 0)),
            None if seen is None else is_seen(phrase, seen),
        )
        for phrase in {*hits, *misses, *false}
    ]
    return sorted(rows, key=lambda r: (-r.counts.misses, -r.counts.false_hits, r.phrase))


def is_seen(phrase: str, seen: frozenset[str]) -> bool:
    """Whether every word of the phrase was seen in training."""
    return seen.issuperset(phrase.split())


def split_by_seen(scores: Sequence[UtteranceScore], seen: frozenset[str]) -> tuple[EntityCounts, EntityCounts]:
    """Counts over phrases of seen words, and over phrases with a word never seen."""

    def count(occurrences: Sequence[Occurrence], known: bool) -> int:
        return sum(is_seen(o.phrase, seen) is known for o in occurrences)

    def counts(known: bool) -> EntityCounts:
        return EntityCounts(
            sum(count(s.found, known) for s in scores),
            sum(count(s.missed, known) for s in scores),
            sum(count(s.false_hits, known) for s in scores),
        )

    return counts(True), counts(False)
