"""The letters of a model of others: what stands in for its phones where a contextual adapter compares sounds.

    letters = Letters.of(labels, blank)
    letters.segment("new york")          # label numbers, as few as can be; characters: one each
    letters.heard(log_probs)             # [T, V] -> [T, P]: which letters a frame holds, 0 is none
    letters.row("new york", 48)          # for the adapter's entity encoder, at most 48 of each

A letter says less of a name's sound than a phone, but a model without a phone head has nothing else, and what it
writes of a name that it does not know is letters that sound like it. A piece of several letters is heard as all of
them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asrbias.adapter_input import Row
from asrbias.phrases import WORD_START, Spelling

Matrix = npt.NDArray[np.float32]
LEAST = 1e-9  # probability of a letter that no label of a frame has


@dataclass(frozen=True, eq=False)
class Letters:
    """Of V labels."""

    spelling: Spelling
    blank: int
    letters: tuple[str, ...]  # P - 1, in matching form
    counts: Matrix  # [V, P] which labels hold which; column 0: those without any
    longest: int  # letters of the longest label
    number: dict[str, int]  # label of each text, the first of several

    @classmethod
    def of(cls, labels: Sequence[str], blank: int) -> Letters:
        spelling = Spelling.of(labels, blank)
        letters = tuple(sorted(spelling.charset))
        column = {letter: index for index, letter in enumerate(letters, 1)}
        counts = np.zeros((len(labels), 1 + len(letters)), np.float32)
        number: dict[str, int] = {}
        for label, text in enumerate(spelling.matched):
            for letter in text.replace(" ", ""):
                counts[label, column[letter]] = 1.0
            if not text.strip():
                counts[label, 0] = 1.0
            if text:
                number.setdefault(text, label)
        return cls(spelling, blank, letters, counts, max(map(len, number), default=0), number)

    @property
    def pieces(self) -> bool:
        """Whether labels are more than characters."""
        return self.spelling.separator == WORD_START

    def segment(self, text: str) -> tuple[int, ...] | None:
        """Matching form -> the fewest labels that write it, the longer ones first; None where none do."""
        whole = " " + text if self.pieces else text
        best: list[tuple[int, ...] | None] = [()] + [None] * len(whole)  # of what ends there
        for end in range(1, len(whole) + 1):
            for begin in range(max(0, end - self.longest), end):
                before, label = best[begin], self.number.get(whole[begin:end])
                if before is not None and label is not None:
                    known = best[end]
                    if known is None or len(before) + 1 < len(known):
                        best[end] = (*before, label)
        return best[-1]

    def heard(self, log_probs: Matrix) -> Matrix:
        """[T, V] natural logarithms -> [T, P]; a row's sum is above 1 where labels have several letters."""
        shares = np.exp(log_probs) @ self.counts
        made: Matrix = np.log(np.clip(shares, LEAST, 1.0)).astype(np.float32)
        return made

    def row(self, phrase: str, longest: int) -> Row:
        """A phrase in matching form as the entity encoder reads it: its pieces, then V + its letters.

        Characters are their own letters and stand there once. Empty where the labels cannot write it.
        """
        labels = self.segment(phrase)
        if not labels:
            return ()
        column = {letter: index for index, letter in enumerate(self.letters, 1)}
        said = [len(self.counts) + column[letter] for letter in phrase.replace(" ", "")][:longest]
        swapped = [self.blank if label == 0 else label for label in labels]  # 0 is padding there
        return (*(swapped[:longest] if self.pieces else ()), *said)

    def text(self, log_probs: Matrix) -> str:
        """[T, V] -> the text of the best labels, in matching form."""
        best = log_probs.argmax(1)
        kept = best[np.append(True, best[1:] != best[:-1])] if len(best) else best
        return " ".join("".join(self.spelling.matched[label] for label in kept.tolist()).split())
