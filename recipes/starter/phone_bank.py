"""A bank of phone posteriors (asrbias/training/phonebank.py):

    python recipes/starter/phone_bank.py MODEL SHARDS[=WEIGHT]... -o bank.npz

What a phone head says of the speech that it was trained on is better than what it says of other speech. So it is made
as hard as that by noise, rooms, speeds, vocal tracts, masks and dropout: the phone error rate printed for each source
should be a little above that of --dev.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rapidfuzz.distance import Levenshtein

from asrbias.model import Model, load_model
from asrbias.training.augment import AugmentOptions, SpecAugmentOptions, spec_augment, warp_bands
from asrbias.training.data import BatchDataset, BatchOptions, Source, plan_epoch, read_examples
from asrbias.training.phonebank import PhoneBank, best_path

Row = tuple[npt.NDArray[np.float32], tuple[int, ...]]
WAVES = AugmentOptions(noise=0.5, room=0.2, colour=0.4)
BANDS = SpecAugmentOptions(frequency_masks=2, time_masks=2, time_share=0.04, warp=0.12)


def hear(model: Model, source: Source, seed: int, hard: bool) -> Iterator[Row]:
    """Phone posteriors [T, P], natural log, and reference phones of the utterances of a source."""
    examples, _, _ = read_examples(source, model.vocabulary)
    plan = plan_epoch([(examples, source.weight)], BatchOptions(seconds=96.0), seed, 0)
    batches = BatchDataset(plan, WAVES if hard else None, seed)
    hearing = model.features.options
    for number, items in enumerate(plan):
        batch = batches[number]
        generator = torch.Generator().manual_seed(seed * 100_003 + number)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            features, frames = model.features(batch.audio, batch.samples)
            if hard:
                features = warp_bands(features, BANDS, hearing.low, hearing.high, generator)
                features = spec_augment(features, frames, BANDS, generator)
            output = model.encoder.sounds(features, frames)
        phones = output.phones.float().numpy()
        for row, item in enumerate(items):
            yield phones[row, : int(output.lengths[row])], item.phones


def error_rate(rows: list[Row]) -> float:
    wrong = sum(Levenshtein.distance(phones, best_path(posteriors)) for posteriors, phones in rows)
    return wrong / max(1, sum(len(phones) for _, phones in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("data", nargs="+", help="packed speech with transcripts, PATTERN or PATTERN=WEIGHT")
    parser.add_argument("--dev", help="packed speech to compare with, as it is")
    parser.add_argument("--dropout", type=float, default=0.15)
    parser.add_argument("--layer-drop", type=float, default=0.1)
    parser.add_argument("--passes", type=int, default=1, help="over the speech, each with noise of its own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    model = load_model(args.model)
    torch.manual_seed(args.seed)
    if args.dev:
        print(f"{args.dev}: {error_rate(list(hear(model, Source.parse(args.dev), args.seed, False))):.3f}")
    model.encoder.regularise(args.dropout, args.layer_drop)
    model.train()
    rows: list[Row] = []
    for text, seed in itertools.product(args.data, range(args.seed, args.seed + args.passes)):
        found = list(hear(model, Source.parse(text), seed, True))
        print(f"{text}: {error_rate(found):.3f}", flush=True)
        rows += found
    PhoneBank.build(rows).save(args.output)


if __name__ == "__main__":
    main()
