"""Recognition while somebody speaks.

    with recognizer.stream(entities=["Zelenskyy"]) as stream:
        for samples in microphone:                   # [S_i], any number at a time
            update = stream.push(samples)
            for segment in update.final:             # new ones, and they stay as they are
                print(segment.text)
            print(update.partial, end="\r")          # what was said since; it may still change
        transcript = stream.finish()

A segment ends where nobody speaks for `SegmentOptions.pause`; then it is transcribed as a recording of its own, and
never again. What is open is transcribed anew every `step` seconds: the encoder hears it whole, not bit by bit, so that
the final text is as good as that of a recording.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from asrbias.audio import AudioError, Samples, check_samples, mono
from asrbias.audio_blocks import BlockResampler
from asrbias.entities import Entity, EntityList
from asrbias.longform import join, segmenter_of, transcribe_segments
from asrbias.segmenting import SegmentOptions
from asrbias.transcript import Transcript, TranscriptSegment

if TYPE_CHECKING:
    from asrbias.recognizer import Recognizer


def _live() -> SegmentOptions:
    return SegmentOptions(pause=0.8, shortest=0.4, longest=20.0)


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """When what was said is looked at. Raises ValueError for a value out of range."""

    step: float = 0.5  # seconds of new audio after which it is looked at again
    segments: SegmentOptions = field(default_factory=_live)  # when a segment ends

    def __post_init__(self) -> None:
        if isinstance(self.step, bool) or not isinstance(self.step, (int, float)) or not 0 < self.step <= 60:
            raise ValueError(f"step is {self.step!r}; it must be a number of seconds above 0, at most 60.")


@dataclass(frozen=True)
class StreamUpdate:
    """What changed by some more audio."""

    final: tuple[TranscriptSegment, ...]  # segments that ended; they do not change any more
    partial: str  # of what was said since


class RecognizerStream:
    """One speaker, of `Recognizer.stream`. Not for several threads at once.

    Args:
        rate: Hz, of the samples that are pushed.
    """

    def __init__(
        self, recognizer: Recognizer, entities: EntityList | None, options: StreamOptions, rate: int | None
    ) -> None:
        self.recognizer, self.options, self._list = recognizer, options, entities
        self.rate = recognizer.sample_rate if rate is None else rate
        check_samples(np.zeros(1, np.float32), self.rate, "the stream")
        self.segments: list[TranscriptSegment] = []  # all that ended so far
        self._converter = BlockResampler(self.rate, recognizer.sample_rate)
        self._segmenter = segmenter_of(recognizer, options.segments)
        self._partial = ""
        self._fresh = self._heard = 0  # samples since the last look, and since the beginning
        self._open = True

    @property
    def entities(self) -> EntityList | None:
        """The list. A new one holds from the next look on, also for the segment that is open."""
        return self._list

    @entities.setter
    def entities(self, entities: EntityList | Iterable[str | Entity] | None) -> None:
        self._list = EntityList.coerce(entities)

    def push(self, samples: Any) -> StreamUpdate:
        """samples [S], or [channels, S], as `load_audio` takes arrays, at the stream's rate.

        Raises AudioError for samples that are no audio; what was pushed before is not lost.
        """
        if not self._open:
            raise AudioError("This stream has ended; open another with recognizer.stream().")
        block = mono(samples)
        if len(block):
            check_samples(block, self.rate, "the stream")
        return self._take(self._converter.push(block))

    def finish(self) -> Transcript:
        """Ends the last segment too; the stream is closed then."""
        if self._open:
            self._take(self._converter.finish(), at_end=True)
            self._open = False
        return join(self.segments, self._heard / self.recognizer.sample_rate)

    def _take(self, samples: Samples, *, at_end: bool = False) -> StreamUpdate:
        self._heard += len(samples)
        self._fresh += len(samples)
        ended = list(self._segmenter.push(samples))
        if at_end:
            ended += self._segmenter.finish()
        elif self._fresh >= self.options.step * self.recognizer.sample_rate:
            ended += self._segmenter.look()
        final = tuple(transcribe_segments(self.recognizer, ended, self._list))
        self.segments += final
        if ended or self._fresh >= self.options.step * self.recognizer.sample_rate:
            self._fresh = 0
            waiting = self._segmenter.rest()
            parts = transcribe_segments(self.recognizer, [waiting] if waiting is not None else [], self._list)
            self._partial = " ".join(part.text for part in parts)
        return StreamUpdate(final, self._partial)

    def __enter__(self) -> RecognizerStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
