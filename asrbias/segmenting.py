"""Where a long recording may be cut, found while it comes in.

CTC says where nobody speaks: in stretches without any label. A recording is cut there, so that no word stands on a cut;
where somebody speaks on and on, in the longest gap between two labels, and the encoder then hears some of the
neighbouring segment too, of which nothing is kept.

    audio      ~~word~~~word~~~.............~~~word~word~~~.....
    labels      w o  rd  w rd               w  o rd wo r d
    segments  |------------------|     |----------------------|      each begins and ends within a pause
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from asrbias.audio import Samples

Labelled = Callable[[Samples], npt.NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class SegmentOptions:
    """How long recordings are cut. Raises ValueError for a value out of range."""

    pause: float = 0.8  # seconds without a label at which a recording is cut
    edge: float = 0.8  # seconds of a pause that are heard with the segments before and after it, at most
    shortest: float = 2.0  # seconds of a segment before the next pause ends it
    longest: float = 24.0  # seconds of a segment, at most
    context: float = 1.0  # seconds that are heard on either side of a cut that is not in a pause

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 600:
                raise ValueError(f"{one.name} is {value!r}; it must be a number of seconds above 0 and below 600.")
        if self.longest < 2 * self.shortest + 2 * self.context:
            raise ValueError(
                f"longest is {self.longest} s; it must be at least twice shortest and twice context "
                f"({2 * self.shortest + 2 * self.context} s), or there is no room for a cut."
            )


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of a recording, with what is heard around it."""

    samples: Samples  # [S], context included
    first: int  # sample of the recording at which the segment itself begins
    length: int  # samples of the segment itself
    before: int  # samples of context in front of it


class Segmenter:
    """Takes samples as they come, gives segments as they end; holds no more than the longest of them.


    Args:
        labelled: samples [S] -> [T] whether there is a label in each frame of `hop` samples.
        sample_rate: Hz.
        hop: samples a frame.
    """

    def __init__(self, labelled: Labelled, options: SegmentOptions, sample_rate: int, hop: int) -> None:
        self.labelled, self.options, self.sample_rate, self.hop = labelled, options, sample_rate, hop
        self.held: Samples = np.zeros(0, np.float32)
        self.base = 0  # sample of the recording that held begins with
        self.cut = 0  # where the next segment begins
        self.forced = False  # it begins within speech

    def frames(self, seconds: float) -> int:
        return max(1, round(seconds * self.sample_rate / self.hop))

    @property
    def waiting(self) -> int:
        """Samples that are in no segment yet."""
        return self.base + len(self.held) - self.cut

    def push(self, samples: Samples) -> Iterator[Segment]:
        """The segments that are complete once so much more was heard."""
        size = self.frames(self.options.longest) * self.hop
        while len(samples):
            some = max(1, size - self.waiting)
            self.held = np.concatenate([self.held, samples[:some]])
            samples = samples[some:]
            if self.waiting >= size:
                yield from self.look(force=True)

    def finish(self) -> Iterator[Segment]:
        """What is left."""
        yield from self.look(at_end=True)

    def rest(self) -> Segment | None:
        """What is in no segment yet, as one; None where that is nothing."""
        return self._segment(self.base + len(self.held), forced=False) if self.waiting > 0 else None

    def look(self, *, force: bool = False, at_end: bool = False) -> Iterator[Segment]:
        """The segments that ended by now; `force` ends one in any case, `at_end` all of them."""
        if self.waiting <= 0:
            return
        lead = self.cut - self.base
        there = self.labelled(self.held)[lead // self.hop :]
        if not at_end:
            there = there[: self.waiting // self.hop]  # cuts stay between whole frames
        origin, ended = self.cut, False
        for first, end in self._ended(there, at_end=at_end):
            self._move(origin + first * self.hop)
            yield self._segment(min(origin + end * self.hop, self.base + len(self.held)), forced=False)
            self._move(origin + end * self.hop)
            ended = True
        spoken = np.flatnonzero(there[(self.cut - origin) // self.hop :])
        edge = self.frames(self.options.edge)
        if at_end:
            self._move(self.base + len(self.held))
        elif len(spoken):
            self._move(self.cut + max(0, int(spoken[0]) - edge) * self.hop)
        else:
            self._move(max(self.cut, origin + (len(there) - edge) * self.hop))
        if force and not ended and len(spoken) and self.cut == origin:
            yield from self._force(there)
        keep = max(self.base, self.cut - (self.frames(self.options.context) * self.hop if self.forced else 0))
        self.held, self.base = self.held[keep - self.base :].copy(), keep

    def _ended(self, there: npt.NDArray[np.bool_], *, at_end: bool) -> list[tuple[int, int]]:
        """Frames [first, end) of the segments that a pause ends."""
        pause, shortest = self.frames(self.options.pause), self.frames(self.options.shortest)
        found: list[tuple[int, int]] = []
        edge = self.frames(self.options.edge)
        begin, free = -1, 0
        spoken = _stretches(there, pause)
        for number, (first, end) in enumerate(spoken):
            begin = max(free, first - edge) if begin < 0 else begin
            last = number + 1 == len(spoken)
            silent = len(there) - end if last else (spoken[number + 1][0] - end) // 2
            free = end + min(edge, silent)
            if ((not last or silent >= pause) and free - begin >= shortest) or (at_end and last):
                found.append((begin, free))
                begin = -1
        return found

    def _move(self, sample: int) -> None:
        if sample > self.cut:
            self.cut, self.forced = sample, False

    def _force(self, there: npt.NDArray[np.bool_]) -> Iterator[Segment]:
        """A cut in the middle of the longest gap of the second half, but for what would lack context."""
        last = max(1, len(there) - self.frames(self.options.context))
        spans = [(first, end) for first, end in gaps(there[:last]) if (first + end) // 2 > len(there) // 2]
        first, end = max(spans, key=lambda span: span[1] - span[0], default=(last - 1, last))
        cut = self.cut + (first + end) // 2 * self.hop
        yield self._segment(cut, forced=True)
        self.cut, self.forced = cut, True

    def _segment(self, end: int, *, forced: bool) -> Segment:
        """From the last cut to a sample of the recording."""
        context = self.frames(self.options.context) * self.hop
        begin = max(self.base, self.cut - context) if self.forced else self.cut
        last = end + context if forced else end
        samples = self.held[begin - self.base : last - self.base]
        return Segment(samples, self.cut, end - self.cut, self.cut - begin)


def gaps(there: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of frames without a label, [first, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], there, [True]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _stretches(there: npt.NDArray[np.bool_], pause: int) -> list[tuple[int, int]]:
    """Frames [first, end) from a label to one that `pause` frames without any follow."""
    labels = np.flatnonzero(there)
    if not len(labels):
        return []
    last = np.flatnonzero(np.diff(labels) > pause)  # the labels before a pause
    firsts, ends = labels[[0, *(last + 1)]], labels[[*last, len(labels) - 1]] + 1
    return [(int(first), int(end)) for first, end in zip(firsts, ends, strict=True)]
