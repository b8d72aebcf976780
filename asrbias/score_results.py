"""What is scored and what comes out: utterances, counts and rates. All rates are in percent, None where undefined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class ScoreInputError(ValueError):
    """The input of the scoring tool is not what it should be; the sentence says where and what to do."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One line to score. Phrases are written forms; the scorer normalises them as it does the texts."""

    id: str
    reference: str
    hypothesis: str
    entities: tuple[str, ...] | None = None  # true entities; those that the reference does not hold are distractors
    list: tuple[str, ...] | None = None  # what the recognizer was given; None: the entities
    list_size: int | None = None  # nominal size of the list; None: counted
    biasing_words: frozenset[str] | None = None  # words of B-WER; None: the words of the spoken entities
    duration: float | None = None  # seconds
    fields: Mapping[str, object] = field(default_factory=dict)  # of the manifest, for groups


@dataclass(frozen=True)
class WordErrors:
    """Substitutions, insertions and deletions against a number of reference words."""

    ref_words: int = 0
    subs: int = 0
    ins: int = 0
    dels: int = 0

    @property
    def errors(self) -> int:
        return self.subs + self.ins + self.dels

    @property
    def error_rate(self) -> float | None:
        """Percent of the reference words."""
        return 100.0 * self.errors / self.ref_words if self.ref_words else None

    def __str__(self) -> str:
        """As is21_deep_bias prints it."""
        return (
            f"error_rate={self.error_rate}, ref_words={self.ref_words}, "
            f"subs={self.subs}, ins={self.ins}, dels={self.dels}"
        )


@dataclass(frozen=True)
class CharErrors:
    """Character edits, spaces included, against a number of reference characters."""

    ref_chars: int = 0
    errors: int = 0

    @property
    def error_rate(self) -> float | None:
        return 100.0 * self.errors / self.ref_chars if self.ref_chars else None


@dataclass(frozen=True)
class EntityCounts:
    """Spoken entities that were found or missed, and listed phrases written where they were not spoken."""

    hits: int = 0
    misses: int = 0
    false_hits: int = 0

    @property
    def spoken(self) -> int:
        return self.hits + self.misses

    @property
    def precision(self) -> float | None:
        written = self.hits + self.false_hits
        return 100.0 * self.hits / written if written else None

    @property
    def recall(self) -> float | None:
        return 100.0 * self.hits / self.spoken if self.spoken else None

    @property
    def f1(self) -> float | None:
        """None where no entity is spoken: with distractors alone, read the false hits."""
        return 200.0 * self.hits / (2 * self.hits + self.misses + self.false_hits) if self.spoken else None


@dataclass(frozen=True)
class Occurrence:
    """A phrase at words start to end (end not included)."""

    phrase: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class UtteranceScore:
    """One utterance, normalised and aligned."""

    utterance: Utterance
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]
    alignment: tuple[tuple[int, int], ...]  # (reference word, hypothesis word), -1 for none; by the is21 costs
    wer: WordErrors
    u_wer: WordErrors
    b_wer: WordErrors
    cer: CharErrors
    found: tuple[Occurrence, ...]  # entities in the reference that the hypothesis has there
    missed: tuple[Occurrence, ...]  # entities in the reference that it has not
    false_hits: tuple[Occurrence, ...]  # listed phrases in the hypothesis that the reference has not there
    unspoken: tuple[str, ...]  # entities that the reference does not hold

    @property
    def entities(self) -> EntityCounts:
        return EntityCounts(len(self.found), len(self.missed), len(self.false_hits))


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Counts over some utterances."""

    utterances: int
    hours: float | None  # None where a duration is not known
    wer: WordErrors
    u_wer: WordErrors
    b_wer: WordErrors
    cer: CharErrors
    entities: EntityCounts

    @property
    def false_hits_per_hour(self) -> float | None:
        return self.entities.false_hits / self.hours if self.hours else None

    @property
    def false_hits_per_1000_words(self) -> float | None:
        """Per 1,000 words of the references."""
        return 1000.0 * self.entities.false_hits / self.wer.ref_words if self.wer.ref_words else None


def _sum(parts: Sequence[WordErrors]) -> WordErrors:
    return WordErrors(
        sum(p.ref_words for p in parts),
        sum(p.subs for p in parts),
        sum(p.ins for p in parts),
        sum(p.dels for p in parts),
    )


def add_up(scores: Sequence[UtteranceScore]) -> Totals:
    """Sum the counts of utterances; rates are of the sums, never means of rates."""
    seconds = [s.utterance.duration for s in scores]
    known = [d for d in seconds if d is not None]
    return Totals(
        utterances=len(scores),
        hours=sum(known) / 3600 if scores and len(known) == len(seconds) else None,
        wer=_sum([s.wer for s in scores]),
        u_wer=_sum([s.u_wer for s in scores]),
        b_wer=_sum([s.b_wer for s in scores]),
        cer=CharErrors(sum(s.cer.ref_chars for s in scores), sum(s.cer.errors for s in scores)),
        entities=EntityCounts(
            sum(len(s.found) for s in scores),
            sum(len(s.missed) for s in scores),
            sum(len(s.false_hits) for s in scores),
        ),
    )
