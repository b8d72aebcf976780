"""Shards -> augmented, bucketed batches, the same batches for the same seed, epoch and batch number.

Notable: the batches of an epoch are a pure function of (seed, epoch), and the augmentation of a batch of (seed, epoch,
number), so a run that was killed goes on with exactly what it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from asrbias.text import normalise
from asrbias.tokens import Vocabulary
from asrbias.training.augment import AugmentOptions, augment
from asrbias.training.shards import ShardReader, Utterance, read_shard


@dataclass(frozen=True)
class Source:
    """Shards and how often an epoch goes through them (0.5: a random half)."""

    paths: tuple[Path, ...]
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Source:
        """`PATTERN` or `PATTERN=WEIGHT`; the pattern names .jsonl shard indexes, `*` allowed."""
        pattern, _, weight = text.rpartition("=") if "=" in Path(text).name else (text, "", "")
        path = Path(pattern)
        found = tuple(sorted(path.parent.glob(path.name))) if path.name else ()
        if not found:
            raise FileNotFoundError(f"No shard matches {pattern!r}; give .jsonl files that `asrbias pack` wrote.")
        try:
            return cls(found, float(weight or 1.0))
        except ValueError:
            raise ValueError(f"The weight {weight!r} of {pattern!r} is no number; write it as {pattern}=0.5.") from None


@dataclass(frozen=True)
class Example:
    """An utterance with its targets."""

    utterance: Utterance
    tokens: tuple[int, ...]
    phones: tuple[int, ...]
    text: str  # matching form


@dataclass(frozen=True)
class Batch:
    """B items; audio [B, S] float, the rest flat targets with their lengths, as `ctc_loss` takes them."""

    audio: Tensor
    samples: Tensor  # [B]
    tokens: Tensor
    token_lengths: Tensor  # [B]
    phones: Tensor
    phone_lengths: Tensor  # [B]
    texts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    seconds: float = 120.0  # audio a batch, padding included
    longest: float = 20.0  # seconds; longer utterances are left out (said at the start)
    sample_rate: int = 16_000  # Hz
    short_first: bool = False  # the first epoch goes from short to long (SortaGrad, Amodei et al. 2016)


def read_examples(source: Source, vocabulary: Vocabulary) -> tuple[list[Example], int, list[str]]:
    """The usable utterances of a source with their targets; phones are those of each word's first pronunciation.

    Also returns how many utterances have no words, and the words that have no pronunciation (they get no phones).
    """
    from asrbias.phones import PHONES, pronounce

    utterances = [utterance for path in source.paths for utterance in read_shard(path)]
    texts = [normalise(utterance.text) for utterance in utterances]
    words = sorted({word for text in texts for word in text.split()})
    number = {phone: index for index, phone in enumerate(PHONES, 1)}
    spoken = {
        word: tuple(number[phone] for phone in (variants[0] if variants else ()))
        for word, variants in zip(words, pronounce(words, missing="empty"), strict=True)
    }
    examples = [
        Example(
            utterance, tuple(vocabulary.encode(text)), tuple(p for word in text.split() for p in spoken[word]), text
        )
        for utterance, text in zip(utterances, texts, strict=True)
        if text
    ]
    return examples, len(texts) - len(examples), [word for word in words if not spoken[word]]


def plan_epoch(
    sources: Sequence[tuple[Sequence[Example], float]], options: BatchOptions, seed: int, epoch: int
) -> list[list[Example]]:
    """Batches of one epoch: each source `weight` times, sorted by length with noise, filled to `seconds`, shuffled."""
    draw = np.random.default_rng((seed, epoch))
    chosen: list[Example] = []
    for examples, weight in sources:
        whole = int(weight)
        chosen += list(examples) * whole
        part = round((weight - whole) * len(examples))
        chosen += [examples[i] for i in draw.choice(len(examples), part, replace=False)] if part else []
    limit = options.longest * options.sample_rate
    chosen = [example for example in chosen if example.utterance.samples <= limit]
    lengths = np.array([example.utterance.samples for example in chosen]) * draw.uniform(0.92, 1.08, len(chosen))
    batches: list[list[Example]] = []
    batch: list[Example] = []
    longest = 0
    for index in np.argsort(lengths, kind="stable"):
        example = chosen[index]
        longest = max(longest, example.utterance.samples)
        if batch and longest * (len(batch) + 1) > options.seconds * options.sample_rate:
            batches.append(batch)
            batch, longest = [], example.utterance.samples
        batch.append(example)
    if batch:
        batches.append(batch)
    if options.short_first and epoch == 0:
        return batches
    return [batches[i] for i in draw.permutation(len(batches))]


class BatchDataset(Dataset[Batch]):
    """The batches of one epoch, made when asked for (in worker processes where there are any)."""

    def __init__(self, batches: Sequence[Sequence[Example]], augmentation: AugmentOptions | None, seed: int) -> None:
        self.batches = batches
        self.augmentation = augmentation
        self.seed = seed
        self.reader = ShardReader()

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Batch:
        draw = np.random.default_rng((self.seed, number))
        waves = []
        for example in self.batches[number]:
            wave = self.reader.read(example.utterance).astype(np.float32) / 32768.0
            waves.append(
                torch.from_numpy(wave if self.augmentation is None else augment(wave, self.augmentation, draw))
            )
        return collate(waves, self.batches[number])


def collate(waves: Sequence[Tensor], examples: Sequence[Example]) -> Batch:
    """Pad the waves [S] into one batch."""

    def flat(targets: list[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        return torch.tensor([x for target in targets for x in target]), torch.tensor([len(t) for t in targets])

    tokens, token_lengths = flat([example.tokens for example in examples])
    phones, phone_lengths = flat([example.phones for example in examples])
    return Batch(
        torch.nn.utils.rnn.pad_sequence(list(waves), batch_first=True),
        torch.tensor([len(wave) for wave in waves]),
        tokens, token_lengths, phones, phone_lengths,
        tuple(example.text for example in examples),
    )  # fmt: skip
