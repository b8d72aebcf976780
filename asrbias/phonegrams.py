"""Which of many phone sequences have the trigrams that were heard: one pass over a flat array, for very long lists.

    grams = PhoneGrams(labels, starts, phones=39)        # built once a list
    grams.scores(heard, insertion=-4.0)                  # [R], to be compared within an utterance

A trigram's evidence in a window of the utterance is the best sum of odds of three runs that follow each other (one
between two of them may be passed over). A sequence's score is the sum over its trigrams, in the best window, divided by
a power of their number. Trigrams of a sequence that are heard in another order count alike: this is a sieve, and
what passes it is aligned (heardphones.fit).
"""

from __future__ import annotations

import itertools

import numpy as np

from asrbias.heardphones import Floats, Heard, Ints

WINDOW = 40  # runs of phones, about 3 s: of long audio, not all may speak for one entity
LEAST = -4.0  # nats: a trigram that was not heard at all
POWER = 0.7  # 0: long sequences win, having more trigrams; 1: short ones win, having more luck


class PhoneGrams:
    """R sequences of phones 0 .. phones - 1, `labels` [K], each beginning at `starts` [R] and none empty."""

    def __init__(self, labels: Ints, starts: Ints, phones: int) -> None:
        self._phones = phones
        lengths = np.diff(starts, append=len(labels))
        counts = np.maximum(lengths - 2, 1)
        ends = np.cumsum(counts)
        self._starts = ends - counts
        row = np.repeat(np.arange(len(starts)), counts)
        at = starts[row] + np.arange(len(row)) - self._starts[row]
        padded = np.concatenate([labels, [0, 0]])
        codes = (padded[at] * phones + padded[at + 1]) * phones + padded[at + 2]
        two, one = phones**3 + padded[at] * phones + padded[at + 1], phones**3 + phones**2 + padded[at]
        self._codes: Ints = np.where(lengths[row] > 2, codes, np.where(lengths[row] == 2, two, one)).astype(np.intp)
        self._share: Floats = (counts**-POWER).astype(np.float32)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self._codes, self._starts, self._share))

    def scores(self, heard: Heard, *, insertion: float) -> Floats:
        """The evidence for each sequence, [R]."""
        best = np.full(len(self._starts), -np.inf, np.float32)
        for table in self._tables(heard, np.float32(insertion)):
            found = np.add.reduceat(np.take(table, self._codes, mode="clip"), self._starts)
            np.maximum(best, found, out=best)
        return best * self._share

    def _tables(self, heard: Heard, insertion: np.float32) -> list[Floats]:
        """For each window the evidence of every trigram, then of every pair, then of every phone."""
        size, phones, hop = len(heard), self._phones, WINDOW // 2
        odds = np.concatenate([heard.odds, np.full((2, phones), LEAST, np.float32)])
        after = odds.copy()  # the phone of this run, or of the next
        after[:size] = np.maximum(odds[:size], odds[1 : size + 1] + insertion * heard.presence[:, None])
        parts = []
        for begin in range(0, size, hop):
            three = np.full((phones, phones, phones), LEAST, np.float32)
            two = np.full((phones, phones), LEAST, np.float32)
            total = np.empty_like(three)
            for run in range(begin, min(begin + hop, size)):
                pair = odds[run][:, None] + after[run + 1]
                np.add(pair[:, :, None], after[run + 2], out=total)
                np.maximum(three, total, out=three)
                np.maximum(two, pair, out=two)
            one = odds[begin : begin + hop].max(axis=0)
            parts.append(np.concatenate([three.ravel(), two.ravel(), one]))
        return [np.maximum(a, b) for a, b in itertools.pairwise(parts)] or parts
