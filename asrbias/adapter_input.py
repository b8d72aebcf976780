"""Entities as the adapter reads them: rows of labels, the subwords of a phrase and then its phones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from asrbias.adapter import AdapterConfig
from asrbias.tokens import Vocabulary

Row = tuple[int, ...]


def entity_row(subwords: Sequence[int], phones: Sequence[int], config: AdapterConfig) -> Row:
    """Labels of one entity; what is longer than `AdapterConfig.longest` is cut, and phones are left out if not read."""
    sounds = [config.vocabulary + phone for phone in phones[: config.longest]] if config.sounds else []
    return (*subwords[: config.longest], *sounds)


def entity_rows(phrases: Sequence[str], vocabulary: Vocabulary, config: AdapterConfig) -> list[Row]:
    """Of phrases in matching form; phones are those of each word's first pronunciation, none where it has none."""
    from asrbias.phones import PHONES, pronounce

    number = {phone: index for index, phone in enumerate(PHONES, 1)}
    words = sorted({word for phrase in phrases for word in phrase.split()})
    said = dict(zip(words, pronounce(words, missing="empty") if config.sounds else [()] * len(words), strict=True))
    rows = []
    for phrase in phrases:
        sounds = [number[phone] for word in phrase.split() if said[word] for phone in said[word][0]]
        rows.append(entity_row(vocabulary.encode(phrase), sounds, config))
    return rows


def pad_rows(rows: Sequence[Row]) -> Tensor:
    """[K, J] with J the longest row's labels; 0 is padding."""
    longest = max(map(len, rows), default=0)
    padded = torch.zeros(len(rows), max(1, longest), dtype=torch.long)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = torch.tensor(row, dtype=torch.long)
    return padded
