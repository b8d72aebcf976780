"""The batches of a run, of speech and of text, from where it stands on: the same ones after a restart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch.utils.data import DataLoader

from asrbias.training.augment import AugmentOptions
from asrbias.training.checkpoint import Progress
from asrbias.training.data import Batch, BatchDataset, BatchOptions, Example, plan_epoch
from asrbias.training.text import TextBatch, TextBatches


@dataclass(frozen=True, kw_only=True)
class Share:
    """What of the batches is this process's, and how they are made."""

    seed: int
    workers: int
    rank: int = 0
    world: int = 1


def is_text(step: int, share: float) -> bool:
    """Whether update `step`, counted from 0, is one of text: spread evenly, `share` of all."""
    return math.floor((step + 1) * share) > math.floor(step * share)


def speech(
    sources: Sequence[tuple[Sequence[Example], float]],
    batches: BatchOptions,
    augment: AugmentOptions,
    progress: Progress,
    share: Share,
) -> Iterator[Batch]:
    """Endless; counts in `progress` how many batches of which epoch were taken."""
    while True:
        plan = plan_epoch(sources, batches, share.seed, progress.epoch)
        plan = plan[: len(plan) // share.world * share.world][share.rank :: share.world]
        if not plan:
            raise ValueError(
                "There is less than one batch a process in the training data; give more, or fewer seconds a batch."
            )
        seed = (share.seed * 1_000_003 + progress.epoch) * 64 + share.rank
        dataset = BatchDataset(plan, augment, seed)
        loader: DataLoader[Batch] = DataLoader(
            dataset, batch_size=None, sampler=range(progress.batch, len(plan)), num_workers=share.workers,
            prefetch_factor=4 if share.workers else None,
        )  # fmt: skip
        for batch in loader:
            progress.batch += 1
            yield batch
        progress.epoch, progress.batch = progress.epoch + 1, 0


def text(batches: TextBatches, first: int, share: Share) -> Iterator[TextBatch]:
    """Endless, from this process's batch number `first` on."""
    numbers = range(first * share.world + share.rank, 1 << 60, share.world)
    loader: DataLoader[TextBatch] = DataLoader(
        batches, batch_size=None, sampler=numbers, num_workers=min(1, share.workers),
        prefetch_factor=8 if share.workers else None,
    )  # fmt: skip
    yield from loader
