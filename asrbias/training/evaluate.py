"""Greedy word and phone error rates of a model on packed speech."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from asrbias.model import Model
from asrbias.training.data import BatchDataset, BatchOptions, Example, plan_epoch


def greedy(log_probs: Tensor, lengths: Tensor) -> list[list[int]]:
    """log_probs [B, T, V] -> best-path labels a item, repeats merged, blank (0) dropped."""
    paths = log_probs.argmax(-1).cpu()
    return [
        [int(label) for label in torch.unique_consecutive(path[:length]) if label]
        for path, length in zip(paths, lengths.tolist(), strict=True)
    ]


@torch.inference_mode()
def evaluate(model: Model, examples: Sequence[Example], options: BatchOptions) -> dict[str, Any]:
    """Word (`wer`) and phone (`per`) error rates by corpus and over `all`, and one example; greedy, no list."""
    device = next(model.parameters()).device
    plan = plan_epoch([(examples, 1.0)], options, 0, 0)
    dataset = BatchDataset(plan, None, 0)
    errors: dict[str, int] = defaultdict(int)
    words: dict[str, int] = defaultdict(int)
    wrong: dict[str, int] = defaultdict(int)
    phones: dict[str, int] = defaultdict(int)
    example = ""
    for number, items in enumerate(plan):
        batch = dataset[number]
        output = model(batch.audio.to(device), batch.samples.to(device))
        read, heard = (greedy(head, output.lengths) for head in (output.log_probs, output.phones))
        for item, labels, sounds in zip(items, read, heard, strict=True):
            reference, hypothesis = item.text.split(), model.vocabulary.decode(labels).split()
            for key in (item.utterance.corpus, "all"):
                errors[key] += Levenshtein.distance(reference, hypothesis)
                words[key] += len(reference)
                wrong[key] += Levenshtein.distance(item.phones, tuple(sounds))
                phones[key] += len(item.phones)
            example = f"{item.text!r} -> {' '.join(hypothesis)!r}"
    return {
        "wer": {key: errors[key] / max(1, words[key]) for key in sorted(words)},
        "per": {key: wrong[key] / max(1, phones[key]) for key in sorted(words)},
        "example": example,
    }
