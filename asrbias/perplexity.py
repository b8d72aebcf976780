"""How well a language model predicts a text: perplexity, and the share of words that it does not know."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from asrbias.lm import LanguageModel, LanguageModelError


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """Over W words and S sentence ends."""

    sentences: int
    words: int
    unknown: int  # of the words
    known: float  # perplexity of the known words and of </s>
    all: float  # the same, with every unknown word predicted as <unk>

    @property
    def unknown_rate(self) -> float:
        """The share of the words that the model does not know, 0 to 1."""
        return self.unknown / self.words

    def __str__(self) -> str:
        return (
            f"{self.sentences} sentences, {self.words} words, {100 * self.unknown_rate:.2f} % unknown, "
            f"perplexity {self.known:.1f} (with unknown words as <unk>: {self.all:.1f})"
        )


def perplexity(model: LanguageModel, sentences: Iterable[str]) -> Perplexity:
    """The perplexity of `sentences`, words apart by white space. Raises LanguageModelError if there is no word."""
    count = words = unknown = 0
    known_sum = unknown_sum = 0.0  # nats
    for sentence in sentences:
        split = sentence.split()
        if not split:
            continue
        scores = model.word_scores(sentence)
        count, words = count + 1, words + len(split)
        for word, score in zip((*split, None), scores, strict=True):
            if word is None or word in model:
                known_sum += score
            else:
                unknown, unknown_sum = unknown + 1, unknown_sum + score
    if not words:
        raise LanguageModelError("There is no word to measure the model on; give at least one sentence.")
    return Perplexity(
        sentences=count,
        words=words,
        unknown=unknown,
        known=math.exp(-known_sum / (words - unknown + count)),
        all=math.exp(-(known_sum + unknown_sum) / (words + count)),
    )
