"""Where recordings are cut: within pauses, and nothing is lost or twice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.audio import Samples
from asrbias.segmenting import Segment, Segmenter, SegmentOptions, gaps

RATE, HOP = 100, 10  # a toy: 0.1 s a frame
OPTIONS = SegmentOptions(pause=0.6, edge=0.6, shortest=2.0, longest=10.0, context=1.0)


def labelled(samples: Samples) -> npt.NDArray[np.bool_]:
    """A sample of 1 is a label in its frame."""
    frames = np.zeros(-(-len(samples) // HOP) * HOP, np.float32)
    frames[: len(samples)] = samples
    return np.asarray(frames.reshape(-1, HOP).any(1))


def cut(samples: Samples, sizes: list[int], *, look: bool = False, options: SegmentOptions = OPTIONS) -> list[Segment]:
    segmenter = Segmenter(labelled, options, RATE, HOP)
    found: list[Segment] = []
    at = 0
    for size in [*sizes, len(samples)]:
        found += segmenter.push(samples[at : at + size])
        if look:
            found += segmenter.look()
        at += size
        assert len(segmenter.held) <= (options.longest + options.context) * RATE
    return found + list(segmenter.finish())


def speech(*parts: tuple[int, int]) -> Samples:
    """(frames of speech, frames of silence) ...; of speech every third frame has a label, and the last one."""
    rows = []
    for spoken, silent in parts:
        there = np.zeros(spoken, np.float32)
        there[::3] = 1
        if spoken:
            there[-1] = 1
        rows += [there, np.zeros(silent, np.float32)]
    return np.repeat(np.concatenate(rows), HOP).astype(np.float32)


def test_pauses_end_segments_and_silence_is_left_out() -> None:
    samples = speech((0, 30), (30, 4), (10, 50), (25, 7), (5, 9))
    found = cut(samples, [len(samples)])
    # 3 s before all; 4 frames are no pause; of the 5 s and of the 3 s six frames stay on either side, of 7 frames half.
    assert [(s.first, s.first + s.length) for s in found] == [(240, 800), (1180, 1520), (1520, 1670)]
    assert all(s.before == 0 and len(s.samples) == s.length for s in found)


def test_where_nobody_pauses_the_longest_gap_is_cut_and_both_sides_hear_beyond() -> None:
    samples = speech((70, 3), (120, 0))
    first, second, *_ = found = cut(samples, [len(samples)])
    assert (first.first, first.length, first.before) == (0, 710, 0)
    assert len(first.samples) == 710 + 100
    assert (second.first, second.before) == (710, 100)
    np.testing.assert_array_equal(second.samples, samples[610 : 610 + len(second.samples)])
    assert sum(s.length for s in found) == len(samples)


def test_silence_alone_gives_nothing() -> None:
    assert cut(np.zeros(5_000, np.float32), [7] * 50) == []
    assert list(Segmenter(labelled, OPTIONS, RATE, HOP).finish()) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 60)), min_size=1, max_size=8),
    st.lists(st.integers(1, 700), max_size=20),
    st.booleans(),
)
def test_every_label_is_in_one_segment(parts: list[tuple[int, int]], sizes: list[int], look: bool) -> None:
    samples = speech(*parts)
    found = cut(samples, sizes, look=look)
    covered = np.zeros(len(samples), int)
    end = 0
    for one in found:
        assert one.first >= end and one.length > 0
        end = one.first + one.length
        covered[one.first : end] += 1
        begin = one.first - one.before
        np.testing.assert_array_equal(one.samples, samples[begin : begin + len(one.samples)])
        assert one.length <= OPTIONS.longest * RATE
        assert samples[one.first : end].any()
    assert (covered[samples > 0] == 1).all()


def test_gaps() -> None:
    assert gaps(np.array([0, 0, 1, 0, 1, 1, 0], bool)) == [(0, 2), (3, 4), (6, 7)]
    assert gaps(np.array([1, 1], bool)) == []
    assert gaps(np.array([], bool)) == []


@pytest.mark.parametrize(
    "wrong", [{"pause": 0.0}, {"shortest": -1.0}, {"longest": float("nan")}, {"context": True}, {"longest": 5.0}]
)
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="it must be"):
        SegmentOptions(**wrong)
