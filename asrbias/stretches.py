"""A long hypothesis cut into stretches of words at its longest pauses, so that a trellis over each fits in memory."""

from __future__ import annotations

from dataclasses import dataclass

from asrbias.hypothesis import Hypothesis

LONGEST = 500  # frames; 20 s at 40 ms a frame


@dataclass(frozen=True)
class Stretch:
    """Words first .. last - 1, and frames begin .. end - 1 in which they and nothing else lie."""

    first: int
    last: int
    begin: int
    end: int


def stretches(hypothesis: Hypothesis, frames: int, longest: int = LONGEST) -> list[Stretch]:
    """Cut where the pause is longest, until every stretch has at most `longest` frames or one word; none is lost.

    Without words there is one stretch, of all frames, if they are no more than `longest`.
    """
    words = hypothesis.words
    todo, found = [Stretch(0, len(words), 0, frames)], []
    while todo:
        whole = todo.pop()
        if whole.end - whole.begin <= longest:
            found.append(whole)
        elif whole.last - whole.first > 1:
            # a pause in the middle half, so that the stretches do not become too short
            span = range(whole.first + 1, whole.last)
            middle = [
                n for n in span if abs(2 * words[n].start - whole.begin - whole.end) <= (whole.end - whole.begin) / 2
            ]
            cut = max(middle or span, key=lambda n: words[n].start - words[n - 1].end)
            at = int(words[cut - 1].end + words[cut].start) // 2
            todo += [Stretch(cut, whole.last, at, whole.end), Stretch(whole.first, cut, whole.begin, at)]
    return found
