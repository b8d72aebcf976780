"""Batches that an adapter learns from: sentences put together from a phone bank, with lists and who is said when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from asrbias.adapter import AdapterConfig
from asrbias.adapter_input import Row, entity_row, pad_rows
from asrbias.tokens import Vocabulary
from asrbias.training.lists import ListMaker, Lists
from asrbias.training.text import TextBatches

UNHEARD = -20.0  # nats of every phone in padding: 0 would be all of them heard there, next to where an item ends
VARIANT = 0.15  # probability that an entity is read by another pronunciation than its first


@dataclass(frozen=True)
class AdapterBatch:
    """B sentences of at most T frames, and a pool of K phrases."""

    phones: Tensor  # [B, T, P] natural log
    lengths: Tensor  # [B] frames
    tokens: Tensor  # flat
    token_lengths: Tensor  # [B]
    rows: Tensor  # [K, J] labels of the phrases
    visible: Tensor  # [B, K] which of them a sentence sees
    attended: Tensor  # [B, T] column of the attention that is right: 1 + phrase, or 0; -1 in padding
    hidden: tuple[Tensor, ...] = ()  # [B, T, D] each, of recordings; text has none, the base makes them

    def to(self, device: torch.device) -> AdapterBatch:
        fields = {name: value.to(device) for name, value in vars(self).items() if name != "hidden"}
        return AdapterBatch(**fields, hidden=tuple(level.to(device) for level in self.hidden))


class AdapterText(Dataset[AdapterBatch]):
    """Endless; batch `number` is a pure function of the seed and it."""

    def __init__(
        self,
        text: TextBatches,
        lists: ListMaker,
        vocabulary: Vocabulary,
        config: AdapterConfig,
    ) -> None:
        self.text, self.lists, self.vocabulary, self.config = text, lists, vocabulary, config
        self._said = {w: said for one in text.sentences for w, said in zip(one.text.split(), one.words, strict=True)}

    def __getitem__(self, number: int) -> AdapterBatch:
        chosen, draw = self.text.draw(number)
        sentences = [self.text.sentences[index] for index in chosen]
        spoken = [[word[draw.integers(len(word))] for word in one.words] for one in sentences]
        flat = [[phone for word in words for phone in word] for words in spoken]
        heard = self.text.bank.simulate_aligned(flat, draw)
        lists = self.lists.draw(chosen, draw)
        frames = [torch.from_numpy(rows.astype(np.float32)) for rows, _ in heard]
        attended = torch.full((len(frames), max(map(len, frames))), -1)
        for row, one in enumerate(frames):
            attended[row, : len(one)] = 0
        for mention in lists.mentions:
            words, ends = spoken[mention.sentence], heard[mention.sentence][1]
            sizes = np.cumsum([0, *map(len, words)])
            begin = int(ends[sizes[mention.first] - 1]) if sizes[mention.first] else 0
            attended[mention.sentence, begin : int(ends[sizes[mention.last + 1] - 1])] = 1 + mention.phrase
        return AdapterBatch(
            torch.nn.utils.rnn.pad_sequence(frames, batch_first=True, padding_value=UNHEARD),
            torch.tensor([len(one) for one in frames]),
            torch.tensor([token for one in sentences for token in one.tokens]),
            torch.tensor([len(one.tokens) for one in sentences]),
            pad_rows(self._rows(lists, draw)),
            torch.from_numpy(lists.visible),
            attended,
        )

    def _rows(self, lists: Lists, draw: np.random.Generator) -> list[Row]:
        return [
            entity_row(self.vocabulary.encode(phrase), self._sounds(phrase.split(), draw), self.config)
            for phrase in lists.phrases
        ]

    def _sounds(self, words: Sequence[str], draw: np.random.Generator) -> list[int]:
        labels: list[int] = []
        for word in words:
            said = self._said.get(word, ())
            if said:
                other = len(said) > 1 and draw.random() < VARIANT
                labels += said[int(draw.integers(1, len(said)))] if other else said[0]
        return labels
