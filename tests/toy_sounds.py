"""Toy posteriors of letters and phones: what was said, word by word; both heads' labels of a word begin together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asrbias.phones import PHONES, pronounce

LABELS = ("<blank>", " ", *"abcdefghijklmnopqrstuvwxyz", "'")
PHONE_LABELS = ("<blank>", *PHONES)
WIDE = 20  # frames a word; a label is followed by a blank, so that a word has ten at most


def letters(text: str, sure: float = 0.9) -> npt.NDArray[np.float32]:
    """[WIDE words, V] log probabilities of a text's letters, each likeliest with probability `sure`."""
    words = text.split()
    return posteriors(LABELS, [list(word) if k == 0 else [" ", *word] for k, word in enumerate(words)], sure)


def sounds(text: str, sure: float = 0.9) -> npt.NDArray[np.float32]:
    """[WIDE words, P] log probabilities of the phones of its words, each in its most usual pronunciation."""
    return posteriors(PHONE_LABELS, [choices[0] for choices in pronounce(text.split())], sure)


def posteriors(labels: Sequence[str], words: Sequence[Sequence[str]], sure: float) -> npt.NDArray[np.float32]:
    """[WIDE W, V] of W words' symbols; where there is none, the blank is likeliest."""
    best = np.zeros(WIDE * len(words), int)
    for number, word in enumerate(words):
        best[WIDE * number : WIDE * number + 2 * len(word) : 2] = [labels.index(symbol) for symbol in word]
    rows = np.full((len(best), len(labels)), (1 - sure) / (len(labels) - 1))
    rows[np.arange(len(best)), best] = sure
    return np.asarray(np.log(rows), np.float32)
