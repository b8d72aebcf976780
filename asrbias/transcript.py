"""What a recognition gives: words with times, confidence, and whether the word came from the list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asrbias.decoder import Hypothesis
    from asrbias.entities import Entity, EntityList


@dataclass(frozen=True)
class TranscriptWord:
    """A word, or a listed phrase as one unit (its display form may have other words than were spoken: "3M")."""

    text: str
    start: float  # seconds
    end: float  # seconds
    confidence: float  # 0..1
    entity: Entity | None = None  # the listed entity that this is, else None


@dataclass(frozen=True)
class Alternative:
    """Another reading of the whole utterance."""

    text: str
    score: float  # nats, comparable within one transcript only
    words: tuple[TranscriptWord, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class TranscriptSegment:
    """A stretch of a recording that begins and ends in a pause."""

    text: str
    start: float  # seconds
    end: float  # seconds
    words: tuple[TranscriptWord, ...] = field(repr=False, default=())
    score: float = 0.0  # nats of this reading


@dataclass(frozen=True)
class Transcript:
    """The best reading first; `nbest[0]` is that reading again."""

    text: str
    words: tuple[TranscriptWord, ...]
    nbest: tuple[Alternative, ...]
    duration: float  # seconds of audio
    segments: tuple[TranscriptSegment, ...] = field(repr=False, default=())  # of a short recording one

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """For JSON: text, words and segments with times in seconds, n-best, duration in seconds."""
        return {
            "text": self.text,
            "words": [word_as_dict(word) for word in self.words],
            "segments": [segment_as_dict(one) for one in self.segments],
            "nbest": [{"text": one.text, "score": round(one.score, 4)} for one in self.nbest],
            "duration": round(self.duration, 3),
        }


def word_as_dict(word: TranscriptWord) -> dict[str, Any]:
    """A word for JSON; `entity` is the phrase as it was listed, or null."""
    return {
        "text": word.text,
        "start": round(word.start, 3),
        "end": round(word.end, 3),
        "confidence": round(word.confidence, 4),
        "entity": word.entity.phrase if word.entity is not None else None,
    }


def segment_as_dict(segment: TranscriptSegment) -> dict[str, Any]:
    """A segment for JSON; its words are those of the transcript from `start` to `end`."""
    return {"text": segment.text, "start": round(segment.start, 3), "end": round(segment.end, 3)}


def build_transcript(
    hypotheses: Sequence[Hypothesis], entities: EntityList | None, seconds_per_frame: float, duration: float, nbest: int
) -> Transcript:
    """Hypotheses, best first -> transcript. Readings that show the same text count once, at their best score."""
    seen: dict[str, Alternative] = {}
    for hypothesis in hypotheses:
        words = _display_words(hypothesis, entities, seconds_per_frame, duration)
        text = " ".join(word.text for word in words)
        if text not in seen:
            seen[text] = Alternative(text, hypothesis.score, words)
        if len(seen) == nbest:
            break
    alternatives = tuple(seen.values()) or (Alternative("", 0.0),)
    best = alternatives[0]
    whole = TranscriptSegment(best.text, 0.0, duration, best.words, best.score)
    return Transcript(best.text, best.words, alternatives, duration, (whole,) if best.words else ())


def _display_words(
    hypothesis: Hypothesis, entities: EntityList | None, seconds_per_frame: float, duration: float
) -> tuple[TranscriptWord, ...]:
    words: list[TranscriptWord] = []
    position = 0
    while position < len(hypothesis.words):
        first = hypothesis.words[position]
        last = position
        entity: Entity | None = None
        if entities is not None and first.entity is not None and first.entity_span is not None:
            entity, last = entities[first.entity], first.entity_span[1]
        unit = hypothesis.words[position : last + 1]
        text = first.text if entity is None else entity.shown
        start, end = unit[0].start * seconds_per_frame, unit[-1].end * seconds_per_frame
        # A phrase is as sure as its least sure word: one wrong word makes the name wrong.
        confidence = min(word.confidence for word in unit)
        words.append(TranscriptWord(text, min(start, duration), min(end, duration), confidence, entity))
        position = last + 1
    return tuple(words)
