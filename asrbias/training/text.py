"""Sentences without speech -> batches of simulated phone posteriors, for the layers above a bottleneck.

The batches are a pure function of (seed, number), as those of speech are.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from asrbias.text import normalise
from asrbias.tokens import Vocabulary
from asrbias.training.phonebank import PhoneBank

FRAMES_A_SECOND = 25
FRAMES_A_PHONE = 4.0  # about, with pauses; for filling batches before anything is simulated


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    share: float = 0.0  # of the updates that are of text
    seconds: float = 150.0  # simulated speech a batch, about, padding included
    longest: int = 120  # phones; longer sentences are left out (said at the start)


@dataclass(frozen=True)
class TextSource:
    sentences: Path  # text, one sentence a line, .gz too
    bank: Path  # of phone posteriors (phonebank.py)


@dataclass(frozen=True)
class Sentence:
    tokens: tuple[int, ...]
    words: tuple[tuple[tuple[int, ...], ...], ...]  # of each word its pronunciations
    text: str = ""  # matching form

    @property
    def size(self) -> int:
        """Phones."""
        return sum(len(word[0]) for word in self.words)


@dataclass(frozen=True)
class TextBatch:
    """B sentences of at most T frames."""

    phones: Tensor  # [B, T, P] natural log
    lengths: Tensor  # [B] frames
    tokens: Tensor  # flat
    token_lengths: Tensor  # [B]


def read_sentences(path: Path, vocabulary: Vocabulary, longest: int) -> tuple[list[Sentence], int]:
    """The sentences of a file, one a line (.gz too), and how many are left out: too long, or with an unsayable word.

    Raises ValueError if none is left.
    """
    from asrbias.phones import PHONES, pronounce

    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as lines:
        texts = [text for line in lines if (text := normalise(line))]
    words = sorted({word for text in texts for word in text.split()})
    number = {phone: index for index, phone in enumerate(PHONES, 1)}
    spoken = {
        word: tuple(tuple(number[phone] for phone in variant) for variant in variants)
        for word, variants in zip(words, pronounce(words, missing="empty"), strict=True)
    }
    made = [
        Sentence(tuple(vocabulary.encode(text)), tuple(spoken[word] for word in text.split()), text) for text in texts
    ]
    kept = [sentence for sentence in made if all(sentence.words) and 2 <= sentence.size <= longest]
    if not kept:
        raise ValueError(f"{path} has no sentence of 2 to {longest} phones; give text, one sentence a line.")
    return kept, len(made) - len(kept)


class Rounds:
    """Endless batches of what has about the same size: batch `number` is of pass number // size over all.

    Args:
        room: the sizes of a batch together, padding included, at most.
    """

    def __init__(self, sizes: npt.ArrayLike, room: float, seed: int) -> None:
        self._sizes, self.seed = np.asarray(sizes), seed
        self._cuts = _cuts(np.sort(self._sizes), room)
        self.size = len(self._cuts)
        self._pass: tuple[int, list[list[int]]] = (-1, [])

    def _of_pass(self, epoch: int) -> list[list[int]]:
        """Which ones are together and in which order is drawn anew for every pass."""
        if self._pass[0] != epoch:
            draw = np.random.default_rng((self.seed, epoch))
            order = np.lexsort((draw.random(len(self._sizes)), self._sizes))
            batches = np.split(order, self._cuts[1:])
            self._pass = (epoch, [batches[i].tolist() for i in draw.permutation(self.size)])
        return self._pass[1]

    def draw(self, number: int) -> tuple[list[int], np.random.Generator]:
        """What is in batch `number`, and where its random numbers come from."""
        epoch, place = divmod(number, self.size)
        return self._of_pass(epoch)[place], np.random.default_rng((self.seed, 1, number))


class TextBatches(Dataset[TextBatch]):
    """Endless: those of `Rounds`."""

    def __init__(self, sentences: Sequence[Sentence], bank: PhoneBank, options: TextOptions, seed: int) -> None:
        self.sentences, self.bank = sentences, bank
        room = options.seconds * FRAMES_A_SECOND / FRAMES_A_PHONE
        self._rounds = Rounds([sentence.size for sentence in sentences], room, seed)
        self.size = self._rounds.size

    def draw(self, number: int) -> tuple[list[int], np.random.Generator]:
        """The sentences of batch `number`, and where its random numbers come from."""
        return self._rounds.draw(number)

    def __getitem__(self, number: int) -> TextBatch:
        numbers, draw = self.draw(number)
        chosen = [self.sentences[index] for index in numbers]
        spoken = [[phone for word in one.words for phone in word[draw.integers(len(word))]] for one in chosen]
        rows = [torch.from_numpy(row.astype(np.float32)) for row in self.bank.simulate(spoken, draw)]
        return TextBatch(
            torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
            torch.tensor([len(row) for row in rows]),
            torch.tensor([token for one in chosen for token in one.tokens]),
            torch.tensor([len(one.tokens) for one in chosen]),
        )


def _cuts(sizes: npt.NDArray[Any], room: float) -> list[int]:
    """Where batches of sorted `sizes` begin, each of at most `room` together, padding included."""
    cuts = [0]
    for index, size in enumerate(sizes.tolist()):
        if index > cuts[-1] and size * (index - cuts[-1] + 1) > room:
            cuts.append(index)
    return cuts
