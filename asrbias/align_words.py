"""Word alignment by weighted edit distance, with the rules of is21_deep_bias (Le et al., Interspeech 2021).

Insertion 3, deletion 3, substitution 4, match 0. Traced back from the end; on a tie the diagonal goes first, then the
insertion, then the deletion. These costs prefer right words to few errors, so five substitutions in a row may become
three deletions and three insertions: `MINIMUM` costs give the fewest errors instead, which is what WER means elsewhere.

An alignment is a list of (reference index, hypothesis index) pairs in order, -1 where a side has no word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Levenshtein

Alignment = list[tuple[int, int]]

SMALL = 20_000  # cells up to which rows of Python numbers are faster than rows of numpy
LARGEST = 400_000_000  # cells of 4 bytes kept for the trace back
LONGEST = 500_000  # words of both sides, so that a cost fits in 32 bits
FAR = 1 << 29  # a cost above any path's, that can be added to without overflow in 32 bits


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What an edit costs; a match costs nothing."""

    indel: int  # an insertion or a deletion, dimensionless
    substitution: int  # dimensionless, from indel to 2 * indel


IS21 = Costs(indel=3, substitution=4)
# Fewest errors first; among those, by the costs above. 4,096 outweighs them in any line of up to 4,096 errors.
MINIMUM = Costs(indel=4096 + 3, substitution=4096 + 4)


def align(reference: Sequence[str], hypothesis: Sequence[str], costs: Costs = IS21) -> Alignment:
    """Align two lists of words; exact, also on ties.

    Cost grows with length x errors, not with length squared: only cells that a best path can reach are computed.

    Raises:
        ValueError: the two are too long and too different to be aligned in memory.
    """
    rows, columns = len(reference), len(hypothesis)
    tail: Alignment = []
    # The diagonal wins ties, so equal last words are always aligned to each other. Not so the first words.
    while rows and columns and reference[rows - 1] == hypothesis[columns - 1]:
        rows, columns = rows - 1, columns - 1
        tail.append((rows, columns))
    if rows and columns:
        tail += _trace(reference[:rows], hypothesis[:columns], costs)
    else:
        tail += [(i, -1) for i in range(rows - 1, -1, -1)] + [(-1, j) for j in range(columns - 1, -1, -1)]
    tail.reverse()
    return tail


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """The fewest substitutions, insertions and deletions: the numerator of the usual word error rate."""
    return int(Levenshtein.distance(reference, hypothesis))


def _trace(reference: Sequence[str], hypothesis: Sequence[str], costs: Costs) -> Alignment:
    """The best path, last pair first."""
    low, high = _band(reference, hypothesis, costs)
    cells = len(reference) * (high - low + 1)
    if cells > LARGEST or len(reference) + len(hypothesis) > LONGEST:
        raise ValueError(
            f"A reference of {len(reference):,} words and a hypothesis of {len(hypothesis):,} words differ too much to "
            "be aligned in memory; split them into shorter utterances."
        )
    table = (_table if cells <= SMALL else _large_table)(reference, hypothesis, costs, low, high)
    path: Alignment = []
    i, j = len(reference), len(hypothesis)
    while i and j:
        here = table.at(i, j)
        step = 0 if reference[i - 1] == hypothesis[j - 1] else costs.substitution
        if table.at(i - 1, j - 1) + step == here:
            i, j = i - 1, j - 1
            path.append((i, j))
        elif table.at(i, j - 1) + costs.indel == here:
            j -= 1
            path.append((-1, j))
        else:
            i -= 1
            path.append((i, -1))
    path += [(k, -1) for k in range(i - 1, -1, -1)]
    path += [(-1, k) for k in range(j - 1, -1, -1)]
    return path


def _band(reference: Sequence[str], hypothesis: Sequence[str], costs: Costs) -> tuple[int, int]:
    """The diagonals (column - row) that a best path may touch (Ukkonen 1985).

    A path that leaves to diagonal d and ends at diagonal D pays |d| + |D - d| indels, and the best path costs no more
    than the fewest edits, each at the price of a substitution.
    """
    difference = len(hypothesis) - len(reference)
    spare = edits(reference, hypothesis) * costs.substitution // costs.indel
    return (difference - spare) // 2, (difference + spare + 1) // 2


@dataclass(frozen=True)
class _Table:
    """Costs of the best path to (row, column), inside the band."""

    rows: Sequence[Any]  # of int sequences
    starts: Sequence[int]  # column of each row's first cell

    def at(self, i: int, j: int) -> int:
        column = j - self.starts[i]
        row = self.rows[i]
        return int(row[column]) if 0 <= column < len(row) else FAR


def _table(reference: Sequence[str], hypothesis: Sequence[str], costs: Costs, low: int, high: int) -> _Table:
    """Whole rows of Python numbers, filled inside the band."""
    columns = len(hypothesis)
    indel, substitution = costs.indel, costs.substitution
    above = [j * indel if j <= high else FAR for j in range(columns + 1)]
    rows = [above]
    for i, word in enumerate(reference, 1):
        row = [FAR] * (columns + 1)
        first = i + low
        if first <= 0:
            row[0] = i * indel
            first = 1
        left = row[first - 1]
        for j in range(first, min(columns, i + high) + 1):
            best = above[j - 1] if word == hypothesis[j - 1] else above[j - 1] + substitution
            left += indel
            if left < best:
                best = left
            if above[j] + indel < best:
                best = above[j] + indel
            row[j] = left = best
        rows.append(row)
        above = row
    return _Table(rows, [0] * len(rows))


def _large_table(reference: Sequence[str], hypothesis: Sequence[str], costs: Costs, low: int, high: int) -> _Table:
    """The band alone, a numpy row at a time; the chain of insertions along a row is a running minimum."""
    import numpy as np

    ids: dict[str, int] = {}
    ref = np.array([ids.setdefault(word, len(ids)) for word in reference], np.int32)
    hyp = np.array([ids.setdefault(word, len(ids)) for word in hypothesis], np.int32)
    slope = np.arange(len(hyp) + 1, dtype=np.int64) * costs.indel
    starts, above = 0, slope[: min(len(hyp), high) + 1]
    rows, offsets = [np.asarray(above, np.int32)], [0]
    for i in range(1, len(ref) + 1):
        first, last = max(0, i + low), min(len(hyp), i + high)
        padded = np.full(last - first + 2, FAR, np.int64)  # the row above, from column first - 1 to last
        begin = max(first - 1, starts)
        part = above[begin - starts : last + 1 - starts]
        padded[begin - first + 1 : begin - first + 1 + len(part)] = part
        best = padded[1:] + costs.indel
        skip = 1 if first == 0 else 0  # no diagonal leads to column 0
        step = np.where(hyp[first - 1 + skip : last] == ref[i - 1], 0, costs.substitution)
        np.minimum(best[skip:], padded[skip:-1] + step, out=best[skip:])
        best -= slope[first : last + 1]
        above = np.minimum.accumulate(best) + slope[first : last + 1]
        starts = first
        rows.append(np.asarray(above, np.int32))
        offsets.append(first)
    return _Table(rows, offsets)
