"""Phones of what a model spells: the substitute for a phone head where there is none.

    spelled = SpelledPhones(labels, blank=0)
    phone_log_probs = spelled(log_probs)        # [T, P], for what reads a phone head (docs/models.md)

What a CTC model writes where it hears a name that it does not know sounds like the name ("casa blanka"). So the texts
of a search without list and language model are pronounced, each word by the lexicon or the network for the rest
(phones.py), its phones laid over its frames, and the texts weighed by their probability. A phone shares with those that
are taken for each other easily; a frame between phones is mostly blank. How much is lost against a phone head:
docs/models.md. Words that nobody can pronounce (another script) leave their frames blank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias.decode_options import DecodeOptions
from asrbias.decoder import Decoder
from asrbias.hypothesis import Hypothesis
from asrbias.phones import PHONES, VOWELS, pronounce
from asrbias.spelled_options import SpelledOptions

Floats = npt.NDArray[np.float64]
# Phones that are taken for each other easily, by ear or by spelling; a phone may be in several groups.
ALIKE = (
    "IY IH EY EH", "AE EH AH AY", "AA AO AH OW AW", "UW UH OW", "ER AH R", "OY AO", "P B", "T D", "K G", "F V TH",
    "TH DH F S T D", "S Z SH ZH", "CH JH SH T", "M N NG", "L R W", "W V", "Y IY",
)  # fmt: skip
LIKE, SAME_KIND, OTHER_KIND = 6.0, 1.0, 0.15  # weights: in one group; both vowels, or neither; a vowel and a consonant
AROUND = 2  # frames on either side of a phone where it may be as well
EVEN = 0.3  # of what a frame between phones has for phones, the share that is spread evenly
LEAST = 1e-7  # probability


class SpelledPhones:
    """Of a CTC model with these labels. Safe to use from several threads.

    Args:
        labels, blank: as of Decoder, whose errors are raised.
        phones: ARPAbet phones, the columns after the blank.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        blank: int = 0,
        phones: Sequence[str] = PHONES,
        options: SpelledOptions | None = None,
    ) -> None:
        self.options = o = options or SpelledOptions()
        self.phones = tuple(phones)
        self._column = {phone: n for n, phone in enumerate(self.phones)}
        self._mixed = confusion(self.phones, o.doubt)
        self._search = Decoder(labels, blank=blank, options=DecodeOptions(beam=o.beam, nbest=o.texts))

    def __call__(self, log_probs: Any) -> npt.NDArray[np.float32]:
        """log_probs [T, V], natural logarithms -> [T, P] of blank and the phones, the same frames.

        Raises LogProbsError, LogProbsTypeError for what is no such matrix; G2PUnavailable as `pronounce` does.
        """
        texts = self._search.decode(log_probs)
        frames = len(log_probs)
        scores = np.array([text.acoustic for text in texts])
        shares = np.exp(scores - scores.max())
        said = np.zeros((frames, len(self.phones)))
        for text, share in zip(texts, shares / shares.sum(), strict=True):
            for frame, column in self._laid(text, frames):
                said[frame, column] += share
        return self._posteriors(np.minimum(said, 1.0))

    def _laid(self, text: Hypothesis, frames: int) -> list[tuple[int, int]]:
        """Frame and column of each phone: a word's evenly over its frames, and one after the other."""
        found: list[tuple[int, int]] = []
        ends = [*(word.start for word in text.words[1:]), frames]
        pronounced = pronounce([word.text for word in text.words], missing="empty")
        for word, end, choices in zip(text.words, ends, pronounced, strict=bool(text.words)):
            if not choices:
                continue
            columns = [self._column[phone] for phone in choices[0] if phone in self._column]
            room = min(max(word.end, word.start + len(columns)), max(end, word.end)) - word.start
            for place, column in enumerate(columns):
                after = found[-1][0] + 1 if found else 0
                frame = max(int(word.start + place * max(room, 1.0) / len(columns)), after)
                found.append((min(frame, frames - 1), column))
        return found

    def _posteriors(self, said: Floats) -> npt.NDArray[np.float32]:
        """said [T, P - 1]: probability that a phone was spelled there."""
        o = self.options
        total = said.sum(1, keepdims=True)
        there = np.minimum(total, 1.0)
        near = sum(_moved(said, frames) for frames in range(-AROUND, AROUND + 1) if frames)
        spread = (1.0 - EVEN) * _shares(near @ self._mixed) + EVEN / said.shape[1]
        made = np.empty((len(said), said.shape[1] + 1))
        made[:, 1:] = (
            there * (1.0 - o.silent) * _shares(said @ self._mixed) + (1.0 - there) * (1.0 - o.between) * spread
        )
        made[:, :1] = there * o.silent + (1.0 - there) * o.between
        made /= made.sum(1, keepdims=True)
        return np.log(np.maximum(made, LEAST)).astype(np.float32)


def confusion(phones: Sequence[str], doubt: float) -> Floats:
    """[P, P]: a row for each phone spelled, the probabilities of what was said; `doubt` of them off the diagonal."""
    vowel = np.array([phone in VOWELS for phone in phones])
    weights = np.where(vowel[:, None] == vowel[None, :], SAME_KIND, OTHER_KIND)
    for group in ALIKE:
        members = np.array([phone in group.split() for phone in phones])
        weights[np.ix_(members, members)] = LIKE
    np.fill_diagonal(weights, 0.0)
    made: Floats = doubt * weights / weights.sum(1, keepdims=True) + (1.0 - doubt) * np.eye(len(phones))
    return made


def _shares(rows: Floats) -> Floats:
    """Each row divided by its sum; even where it is zero."""
    total = rows.sum(1, keepdims=True)
    made: Floats = np.where(total > 0, rows / np.maximum(total, 1e-300), 1.0 / rows.shape[1])
    return made


def _moved(rows: Floats, frames: int) -> Floats:
    """Rows that many frames later, zeros before them; earlier where it is below 0."""
    made = np.zeros_like(rows)
    if frames > 0:
        made[frames:] = rows[:-frames]
    else:
        made[:frames] = rows[-frames:]
    return made
