"""Recordings of any length: cut in pauses while they are read, each segment transcribed as a recording of its own.

Memory does not grow with the length: what is held is one block of samples, and a batch of segments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asrbias.audio_blocks import audio_blocks
from asrbias.segmenting import Segment, Segmenter, SegmentOptions
from asrbias.transcript import Alternative, Transcript, TranscriptSegment, build_transcript

if TYPE_CHECKING:
    from asrbias.entities import EntityList
    from asrbias.recognizer import Posteriors, Recognizer

WHOLE = 30.0  # seconds: what is no longer is never cut
BATCH = 60.0  # seconds of segments that are transcribed together


def segmenter_of(recognizer: Recognizer, options: SegmentOptions) -> Segmenter:
    """Cuts where the recognizer's model hears nothing."""
    hop = round(recognizer.model.seconds_per_frame * recognizer.sample_rate)
    return Segmenter(recognizer.model.labelled, options, recognizer.sample_rate, hop)


def segments(
    recognizer: Recognizer,
    audio: Any,
    entities: EntityList | None,
    options: SegmentOptions,
    heard: Callable[[float], None] = lambda seconds: None,
) -> Iterator[TranscriptSegment]:
    """A recording's segments, in order, as soon as they are known; `heard` is told how many seconds were read."""
    segmenter = segmenter_of(recognizer, options)
    waiting: list[Segment] = []
    done = 0
    for block in audio_blocks(audio, sample_rate=recognizer.sample_rate, seconds=options.longest):
        waiting += segmenter.push(block)
        done += len(block)
        if sum(one.length for one in waiting) >= BATCH * recognizer.sample_rate:
            yield from transcribe_segments(recognizer, waiting, entities)
            waiting = []
        heard(done / recognizer.sample_rate)
    waiting += segmenter.finish()
    yield from transcribe_segments(recognizer, waiting, entities)


def transcribe_segments(
    recognizer: Recognizer, found: list[Segment], entities: EntityList | None
) -> Iterator[TranscriptSegment]:
    """Each with the times of the whole recording; those in which no word was found are left out."""
    if not found:
        return
    heard = [
        own_frames(posteriors, one, recognizer)
        for posteriors, one in zip(recognizer.posteriors([one.samples for one in found]), found, strict=True)
    ]
    hypotheses = recognizer.decode_posteriors(heard, [entities] * len(found))
    for one, best in zip(found, hypotheses, strict=True):
        start, duration = one.first / recognizer.sample_rate, one.length / recognizer.sample_rate
        transcript = build_transcript(best, entities, recognizer.model.seconds_per_frame, duration, 1)
        if transcript.words:
            words = tuple(replace(word, start=word.start + start, end=word.end + start) for word in transcript.words)
            score = transcript.nbest[0].score
            yield TranscriptSegment(transcript.text, start, start + duration, words, score)


def own_frames(heard: Posteriors, segment: Segment, recognizer: Recognizer) -> Posteriors:
    """Without the frames of the context."""
    hop = recognizer.model.seconds_per_frame * recognizer.sample_rate
    first, count = round(segment.before / hop), max(1, round(segment.length / hop))
    if first == 0 and segment.length == len(segment.samples):
        return heard
    own = slice(first, first + count)
    return replace(
        heard,
        log_probs=heard.log_probs[own],
        phones=None if heard.phones is None else heard.phones[own],
        hidden=tuple(x[own] for x in heard.hidden),
    )


def join(parts: list[TranscriptSegment], duration: float) -> Transcript:
    """One transcript; of a recording in segments there is only the best reading."""
    text = " ".join(part.text for part in parts)
    words = tuple(word for part in parts for word in part.words)
    best = Alternative(text, sum(part.score for part in parts), words)
    return Transcript(text, words, (best,), duration, tuple(parts))
