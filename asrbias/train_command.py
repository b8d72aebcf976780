"""`asrbias train`: base training from packed speech."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

EXAMPLE = """example:
  asrbias pack train/manifest.jsonl shards/train
  asrbias train --data shards/train.jsonl --data 'synthetic/*.jsonl=0.5' --dev shards/dev.jsonl \\
      --tokens tokens/ --output runs/base

A run that was stopped goes on when the same command is given again.
Many GPUs: torchrun --nproc-per-node N -m asrbias train ...
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias train` to a parser."""
    parser.description, parser.epilog = "Train a Conformer-CTC base model.", EXAMPLE
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", action="append", required=True, metavar="SHARDS[=WEIGHT]", help="packed speech; repeatable"
    )
    data.add_argument("--dev", metavar="SHARDS", help="packed speech on which the word error rate is reported")
    data.add_argument(
        "--output", type=Path, required=True, help="model folder to write; holds the checkpoint and log too"
    )
    start = parser.add_argument_group("start")
    start.add_argument("--init", type=Path, metavar="MODEL", help="an earlier model folder to start from")
    start.add_argument("--init-last", action="store_true", help="start from its last weights, not their average")
    start.add_argument("--tokens", type=Path, metavar="FOLDER", help="vocabulary of a new model")
    sizes = parser.add_argument_group("sizes of a new model")
    sizes.add_argument("--dim", type=int, default=176, help="model width (default: %(default)s)")
    sizes.add_argument("--layers", type=int, default=12, help="default: %(default)s")
    sizes.add_argument("--heads", type=int, default=4, help="attention heads (default: %(default)s)")
    sizes.add_argument(
        "--subword-layers", type=int, nargs="*", metavar="N", help="layers with a middle head (default: at 1/3 and 2/3)"
    )
    sizes.add_argument("--phone-layer", type=int, metavar="N", help="layer with the phone head (default: the middle)")
    sizes.add_argument("--no-self-conditioning", action="store_true")
    _add_training(parser.add_argument_group("training"))


def _add_training(group: Any) -> None:
    from asrbias.training.augment import AugmentOptions, SpecAugmentOptions
    from asrbias.training.base import TrainOptions
    from asrbias.training.data import BatchOptions

    training, batches = TrainOptions(), BatchOptions()
    augment, spec = AugmentOptions(), SpecAugmentOptions()
    for name, default, meaning in (
        ("steps", training.steps, "updates"),
        ("rate", training.rate, "peak learning rate"),
        ("warmup", training.warmup, "updates"),
        ("decay", training.decay, "last share of the steps, in which the rate falls to zero"),
        ("weight-decay", training.weight_decay, "AdamW"),
        ("average", training.average, "decay of the moving average of the weights, an update"),
        ("evaluate-every", training.evaluate_every, "updates"),
        ("save-every", training.save_every, "updates"),
        ("seed", training.seed, ""),
        ("workers", training.workers, "processes that read and augment"),
        ("seconds", batches.seconds, "audio a batch"),
        ("longest", batches.longest, "seconds; longer utterances are left out"),
        ("frequency-masks", spec.frequency_masks, "SpecAugment: bands of mels set to zero"),
        ("time-masks", spec.time_masks, "SpecAugment: stretches of time set to zero"),
        ("noise", augment.noise, "probability of added noise"),
        ("room", augment.room, "probability of an artificial room"),
        ("colour", augment.colour, "probability of a random equaliser"),
    ):
        group.add_argument(f"--{name}", type=type(default), default=default, help=f"{meaning} (default: %(default)s)")
    group.add_argument(
        "--phone", type=float, default=0.3, help="weight of the phone head's loss (default: %(default)s)"
    )
    group.add_argument("--short-first", action="store_true", help="the first epoch goes from short to long")
    group.add_argument("--threads", type=int, help="of torch on the CPU (default: one a core)")
    group.add_argument("--device", default="cpu", choices=["cpu", "cuda"])


def run(arguments: argparse.Namespace) -> int:
    """Train or go on; the model folder is written at every evaluation."""
    import torch

    from asrbias.encoder import EncoderConfig
    from asrbias.tokens import Vocabulary
    from asrbias.training.augment import AugmentOptions, SpecAugmentOptions
    from asrbias.training.base import TrainOptions, train_base
    from asrbias.training.data import BatchOptions, Source
    from asrbias.training.objective import ObjectiveOptions

    if bool(arguments.init) == bool(arguments.tokens):
        raise ValueError("Give --init MODEL to go on from a model, or --tokens FOLDER for a new one, one of the two.")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    given = vars(arguments)
    options = TrainOptions(
        **{
            key: given[key]
            for key in ("steps", "rate", "warmup", "decay", "weight_decay", "average", "seed", "workers", "device")
        },
        evaluate_every=given["evaluate_every"],
        save_every=given["save_every"],
        batches=BatchOptions(seconds=given["seconds"], longest=given["longest"], short_first=given["short_first"]),
        objective=ObjectiveOptions(phone=given["phone"]),
        spec_augment=SpecAugmentOptions(frequency_masks=given["frequency_masks"], time_masks=given["time_masks"]),
        augment=replace(AugmentOptions(), **{key: given[key] for key in ("noise", "room", "colour")}),
    )
    vocabulary = config = None
    if arguments.tokens:
        vocabulary = Vocabulary.load(arguments.tokens)
        config = EncoderConfig(vocabulary=len(vocabulary), **_sizes(arguments))
    train_base(
        [Source.parse(text) for text in arguments.data],
        Source.parse(arguments.dev) if arguments.dev else None,
        arguments.output,
        options,
        config=config,
        vocabulary=vocabulary,
        init=arguments.init,
        init_last=arguments.init_last,
    )
    return 0


def _sizes(arguments: argparse.Namespace) -> dict[str, Any]:
    layers = arguments.layers
    return {
        "dim": arguments.dim,
        "layers": layers,
        "heads": arguments.heads,
        "subword_layers": tuple(arguments.subword_layers or (max(1, layers // 3), max(1, 2 * layers // 3))),
        "phone_layer": arguments.phone_layer or max(1, layers // 2),
        "self_conditioning": not arguments.no_self_conditioning,
    }
