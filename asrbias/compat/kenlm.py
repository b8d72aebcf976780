"""What of kenlm's Python module a user of pyctcdecode touches, over our reader of its files.

    model = kenlm.Model("model.arpa")
    model.score("the cat sat")          # log10, <s> and </s> included
"""

from __future__ import annotations

import math
import os

from asrbias.lm import LanguageModel

LOG10 = math.log(10.0)


class Model:
    """An ARPA file or a KenLM binary, read-only.

    Raises LanguageModelError (a ValueError), OSError for a file that cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.model = LanguageModel.read(os.fspath(path))
        self.path = os.fsencode(os.path.abspath(path))

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return self.model.order

    def __contains__(self, word: str) -> bool:
        return word in self.model

    def score(self, sentence: str, eos: bool = True) -> float:
        """log10 of the probability of words, apart by white space, after <s>; eos: of </s> after them too."""
        scores = self.model.word_scores(sentence)
        return sum(scores if eos else scores[:-1]) / LOG10

    def perplexity(self, sentence: str) -> float:
        """Per word, </s> included."""
        scores = self.model.word_scores(sentence)
        return math.exp(-sum(scores) / len(scores))
