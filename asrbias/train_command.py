"""`asrbias train`: base training from packed speech."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asrbias.training.data import Source

EXAMPLE = """example:
  asrbias pack train/manifest.jsonl shards/train
  asrbias train --data shards/train.jsonl --data 'synthetic/*.jsonl=0.5' --dev shards/dev.jsonl \\
      --tokens tokens/ --output runs/base

A run that was stopped goes on when the same command is given again.
Many GPUs: torchrun --nproc-per-node N -m asrbias train ...
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias train` to a parser."""
    from asrbias.encoder import EncoderConfig

    parser.description, parser.epilog = "Train a Conformer-CTC base model.", EXAMPLE
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data", action="append", default=[], metavar="SHARDS[=WEIGHT]", help="packed speech; repeatable"
    )
    data.add_argument("--dev", metavar="SHARDS", help="packed speech on which the word error rate is reported")
    data.add_argument(
        "--output", type=Path, required=True, help="model folder to write; holds the checkpoint and log too"
    )
    data.add_argument(
        "--sentences", type=Path, metavar="FILE", help="text, one sentence a line (.gz too), to learn to spell from"
    )
    data.add_argument(
        "--phone-bank", type=Path, metavar="FILE", help="posteriors its sounds are made of (with --sentences)"
    )
    start = parser.add_argument_group("start")
    start.add_argument("--init", type=Path, metavar="MODEL", help="an earlier model folder to start from")
    start.add_argument("--init-last", action="store_true", help="start from its last weights, not their average")
    start.add_argument("--tokens", type=Path, metavar="FOLDER", help="vocabulary of a new model")
    sizes = parser.add_argument_group("sizes of a new model (with --tokens)")
    sizes.add_argument("--dim", type=int, help=f"model width (default: {EncoderConfig.dim})")
    sizes.add_argument("--layers", type=int, help=f"default: {EncoderConfig.layers}")
    sizes.add_argument("--heads", type=int, help=f"attention heads (default: {EncoderConfig.heads})")
    sizes.add_argument(
        "--subword-layers", type=int, nargs="+", metavar="N", help="layers with a middle head (default: at 1/3 and 2/3)"
    )
    sizes.add_argument("--phone-layer", type=int, metavar="N", help="layer with the phone head (default: the middle)")
    sizes.add_argument("--no-self-conditioning", action="store_true", default=None)
    _add_training(parser.add_argument_group("training"))


def _add_training(group: Any) -> None:
    from asrbias.training.augment import AugmentOptions, SpecAugmentOptions
    from asrbias.training.base import TrainOptions
    from asrbias.training.data import BatchOptions
    from asrbias.training.text import TextOptions

    training, batches, text = TrainOptions(), BatchOptions(), TextOptions()
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
        ("dropout", training.dropout, "probability that a channel is dropped in a whole utterance"),
        ("layer-drop", training.layer_drop, "probability that the last layer is skipped, earlier ones in proportion"),
        ("seed", training.seed, ""),
        ("workers", training.workers, "processes that read and augment"),
        ("seconds", batches.seconds, "audio a batch"),
        ("text-share", text.share, "share of the updates that are of --sentences"),
        ("text-seconds", text.seconds, "simulated speech a batch of text"),
        ("longest", batches.longest, "seconds; longer utterances are left out"),
        ("frequency-masks", spec.frequency_masks, "SpecAugment: bands of mels set to zero"),
        ("time-masks", spec.time_masks, "SpecAugment: stretches of time set to zero"),
        ("warp", spec.warp, "vocal tracts made longer or shorter by this share, at most"),
        ("noise", augment.noise, "probability of added noise"),
        ("room", augment.room, "probability of an artificial room"),
        ("colour", augment.colour, "probability of a random equaliser"),
    ):
        group.add_argument(f"--{name}", type=type(default), default=default, help=f"{meaning} (default: %(default)s)")
    group.add_argument(
        "--phone", type=float, default=0.3, help="weight of the phone head's loss (default: %(default)s)"
    )
    group.add_argument(
        "--subword",
        type=float,
        default=1.0,
        help="weight of the subword heads' loss; 0 trains the layers up to the phone head alone (default: %(default)s)",
    )
    group.add_argument("--apart", action="store_true", help="subword losses do not train the layers below a bottleneck")
    group.add_argument("--optimizer", default="adamw", choices=["adamw", "muon"], help="default: %(default)s")
    group.add_argument("--short-first", action="store_true", help="the first epoch goes from short to long")
    group.add_argument("--stop-at", type=int, metavar="STEP", help="stop after this update, to go on another time")
    group.add_argument("--threads", type=int, help="of torch on the CPU (default: one a core)")
    group.add_argument("--device", default="cpu", choices=["cpu", "cuda"])


def run(arguments: argparse.Namespace) -> int:
    """Train or go on; the model folder is written at every evaluation."""
    import torch

    from asrbias.encoder import EncoderConfig
    from asrbias.tokens import Vocabulary
    from asrbias.training.augment import AugmentOptions, SpecAugmentOptions
    from asrbias.training.base import TrainOptions, train_base
    from asrbias.training.data import BatchOptions
    from asrbias.training.objective import ObjectiveOptions
    from asrbias.training.text import TextOptions, TextSource

    _check(arguments)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    given = vars(arguments)
    options = TrainOptions(
        **{key: given[key] for key in PLAIN},
        stop_at=given["stop_at"],
        evaluate_every=given["evaluate_every"],
        save_every=given["save_every"],
        batches=BatchOptions(seconds=given["seconds"], longest=given["longest"], short_first=given["short_first"]),
        objective=ObjectiveOptions(phone=given["phone"], subword=given["subword"]),
        text=TextOptions(share=given["text_share"], seconds=given["text_seconds"]),
        spec_augment=SpecAugmentOptions(
            frequency_masks=given["frequency_masks"], time_masks=given["time_masks"], warp=given["warp"]
        ),
        augment=replace(AugmentOptions(), **{key: given[key] for key in ("noise", "room", "colour")}),
    )
    vocabulary = config = None
    if arguments.tokens:
        vocabulary = Vocabulary.load(arguments.tokens)
        config = EncoderConfig(vocabulary=len(vocabulary), **_sizes(arguments))
    sources, dev = _sources(arguments)
    train_base(
        sources,
        dev,
        arguments.output,
        options,
        config=config,
        vocabulary=vocabulary,
        init=arguments.init,
        init_last=arguments.init_last,
        text=TextSource(arguments.sentences, arguments.phone_bank) if arguments.sentences else None,
    )
    return 0


PLAIN = (  # arguments that are fields of TrainOptions
    "steps", "rate", "warmup", "decay", "optimizer", "weight_decay", "average", "seed", "workers", "device", "dropout",
    "layer_drop", "apart",
)  # fmt: skip
SIZES = ("dim", "layers", "heads", "subword_layers", "phone_layer", "no_self_conditioning")
PROBABILITIES = ("text_share", "decay", "average", "noise", "room", "colour", "dropout", "layer_drop", "warp")
NOT_NEGATIVE = ("warmup", "weight_decay", "workers", "frequency_masks", "time_masks", "phone", "subword", "seed")
POSITIVE = (
    "steps", "rate", "evaluate_every", "save_every", "seconds", "longest", "stop_at", "threads", "text_seconds",
    "dim", "layers", "heads",
)  # fmt: skip


def _check(arguments: argparse.Namespace) -> None:
    """Raise ValueError for arguments that contradict each other, would go unheard, or are out of range."""
    import torch

    given = vars(arguments)
    if bool(arguments.init) == bool(arguments.tokens):
        raise ValueError("Give --init MODEL to go on from a model, or --tokens FOLDER for a new one, one of the two.")
    unheard = [name for name in SIZES if given[name] is not None] if arguments.init else []
    if unheard:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in unheard)
        raise ValueError(
            f"{flags}: the model of --init has its sizes already; leave this out, or start anew with --tokens."
        )
    if arguments.init_last and not arguments.init:
        raise ValueError("--init-last needs --init MODEL; a new model has no earlier weights.")
    if not arguments.data and arguments.text_share < 1:
        raise ValueError("There is nothing to train on; give --data SHARDS, or --sentences with --text-share 1.")
    if not bool(arguments.sentences) == bool(arguments.phone_bank) == (arguments.text_share > 0):
        raise ValueError("--sentences, --phone-bank and a --text-share above 0 go together; give all three or none.")
    for names, least, most, allowed in (
        (PROBABILITIES, 0.0, 1.0, "from 0 to 1"),
        (NOT_NEGATIVE, 0.0, sys.float_info.max, "0 or more"),
        (POSITIVE, sys.float_info.min, sys.float_info.max, "above 0"),
    ):
        for name in names:
            if given[name] is not None and not least <= given[name] <= most:  # so is NaN refused
                raise ValueError(f"--{name.replace('_', '-')} is {given[name]}; give a number {allowed}.")
    if arguments.output.exists() and not arguments.output.is_dir():
        raise ValueError(f"--output {arguments.output} is a file; name a folder for the model.")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda was asked for but torch sees no GPU; use --device cpu.")


def _sources(arguments: argparse.Namespace) -> tuple[list[Source], Source | None]:
    from asrbias.training.data import Source

    sources = [Source.parse(text) for text in arguments.data]
    for text, source in zip(arguments.data, sources, strict=True):
        if not 0 < source.weight < math.inf:
            raise ValueError(f"The weight of {text!r} is {source.weight:g}; it must be above 0, and finite.")
    dev = Source.parse(arguments.dev) if arguments.dev else None
    if dev is not None and dev.weight != 1:
        raise ValueError(f"--dev {arguments.dev} has a weight; every utterance is evaluated once, so leave it out.")
    return sources, dev


def _sizes(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is given, and the layers of the heads where they are not; EncoderConfig has the rest."""
    from asrbias.encoder import EncoderConfig

    sizes = {name: value for name in ("dim", "layers", "heads") if (value := getattr(arguments, name)) is not None}
    layers = sizes.get("layers", EncoderConfig.layers)
    phone_layer = arguments.phone_layer
    return {
        **sizes,
        "subword_layers": tuple(arguments.subword_layers or (max(1, layers // 3), max(1, 2 * layers // 3))),
        "phone_layer": max(1, layers // 2) if phone_layer is None else phone_layer,
        "self_conditioning": not arguments.no_self_conditioning,
    }
