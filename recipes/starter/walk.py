"""Text with the statistics of other text: walks over its words, each drawn from what followed the last two or one."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterable

START, END = "<s>", "</s>"
SHORTEST, LONGEST = 2, 16  # words


class Walk:
    """Sentences of a bag of (texts, how often each counts); equal seeds give equal sentences.

    With probability `back` a word is drawn from what follows the last word, whatever was before it: with 0 long pieces
    of the texts come back, with 1 nothing but pairs of words is kept.
    """

    def __init__(self, texts: Iterable[tuple[Iterable[str], int]], seed: int, back: float = 0.35) -> None:
        self._random, self._back = random.Random(seed), back
        self._after_one: dict[str, list[str]] = defaultdict(list)
        self._after_two: dict[tuple[str, str], list[str]] = defaultdict(list)
        for sentences, times in texts:
            for sentence in sentences:
                words = [START, *sentence.split(), END]
                for one, two in itertools.pairwise(words):
                    self._after_one[one] += [two] * times
                for one, two, three in zip(words, words[1:], words[2:], strict=False):
                    self._after_two[one, two] += [three] * times

    def draw(self) -> str:
        """One sentence of 2 to 16 words."""
        while True:
            words = [START, self._random.choice(self._after_one[START])]
            while words[-1] != END and len(words) <= LONGEST + 1:
                words.append(self._random.choice(self._following(words[-2], words[-1])))
            if words[-1] == END and SHORTEST <= len(words) - 2 <= LONGEST:
                return " ".join(words[1:-1])

    def _following(self, one: str, two: str) -> list[str]:
        known = self._after_two[one, two]
        if self._random.random() < self._back or (len(known) == 1 and self._random.random() < 0.5):
            return self._after_one[two]
        return known
