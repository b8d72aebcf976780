"""`asrbias train adapter`: a contextual adapter for a frozen model.

From text and a bank of phone posteriors for asrbias' own models, from recordings with transcripts for those of others.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrbias.foreign import is_foreign

if TYPE_CHECKING:
    from asrbias.model import Model
    from asrbias.training.adapterrun import AdapterRun, AdapterTrainOptions
    from asrbias.training.heard import Heard

EXAMPLE = """example:
  asrbias train adapter MODEL --sentences text.txt.gz --phone-bank bank.npz --output runs/adapter \\
      --dev shards/dev.jsonl --distractors distractors.txt
  asrbias train adapter hf:facebook/wav2vec2-base-960h --manifest train.jsonl --output runs/adapter

A run that was stopped goes on when the same command is given again.
"""
SIZES = ("dim", "heads", "layers", "query_layers")
NUMBERS = (
    "steps", "rate", "warmup", "decay", "weight_decay", "average", "attention", "named", "forced",
    "freed", "seconds", "evaluate_every",
    "save_every", "seed", "workers",
)  # fmt: skip
LISTS = ("commonest", "dropped", "others", "hard", "hard_rare", "longer")
POSITIVE = {"steps", "rate", "seconds", "evaluate_every", "save_every", "threads", *SIZES}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias train adapter` to a parser."""
    from asrbias.adapter import AdapterConfig
    from asrbias.training.lists import ListOptions

    parser.description, parser.epilog = "Train a contextual adapter; the model itself stays as it is.", EXAMPLE
    parser.add_argument("model", help="model folder, with a bottleneck; or a torch model of others (hf:, torchaudio:)")
    parser.add_argument("--output", type=Path, required=True, help="folder for adapter, checkpoint and log")
    parser.add_argument("--sentences", type=Path, metavar="FILE", help="text, one sentence a line (.gz too)")
    parser.add_argument("--phone-bank", type=Path, metavar="FILE", help="posteriors its sounds are made of")
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="instead of both, for models of others: lines with audio and text"
    )
    parser.add_argument("--init", type=Path, metavar="FOLDER", help="an earlier adapter to start from")
    parser.add_argument("--dev", metavar="SHARDS", help="packed speech with entities, on which adapters are judged")
    parser.add_argument("--distractors", type=Path, metavar="FILE", help="phrases for the lists of --dev")
    sizes = parser.add_argument_group("sizes of a new adapter")
    for name in SIZES:
        sizes.add_argument(_flag(name), type=int, metavar="N", help=f"default: {getattr(AdapterConfig, name)}")
    sizes.add_argument("--pooled", action="store_true", default=None, help="one vector an entity, not one a label")
    sizes.add_argument("--no-sounds", action="store_true", default=None, help="entities are read by spelling alone")
    _add_training(parser.add_argument_group("training"))
    lists = parser.add_argument_group("lists")
    for name in LISTS:
        value = getattr(ListOptions, name)
        lists.add_argument(_flag(name), type=type(value), default=value, metavar="N", help="default: %(default)s")


def _add_training(group: Any) -> None:
    from asrbias.training.adapterrun import AdapterTrainOptions

    for name in NUMBERS:
        value = getattr(AdapterTrainOptions, name)
        group.add_argument(_flag(name), type=type(value), default=value, metavar="N", help="default: %(default)s")
    group.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    group.add_argument("--threads", type=int, help="threads of torch (default: as torch decides)")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def run(arguments: argparse.Namespace) -> int:
    """Train; the folder holds the averaged adapter."""
    _check(arguments)
    import torch

    from asrbias.training.adapterrun import AdapterTrainOptions
    from asrbias.training.lists import ListOptions

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    options = AdapterTrainOptions(
        **{name: getattr(arguments, name) for name in NUMBERS},
        device=arguments.device,
        lists=ListOptions(**{name: getattr(arguments, name) for name in LISTS}),
    )
    torch.manual_seed(arguments.seed)
    (_of_others(arguments, options) if is_foreign(arguments.model) else _own(arguments, options)).run()
    print(f"{arguments.output} holds the adapter.")
    return 0


def _sizes(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {name: value for name in SIZES if (value := getattr(arguments, name)) is not None}
    given |= {"pooled": True} if arguments.pooled else {}
    return given | ({"sounds": False} if arguments.no_sounds else {})


def _own(arguments: argparse.Namespace, options: AdapterTrainOptions) -> AdapterRun:
    from asrbias.adapter import AdapterConfig, ContextualAdapter
    from asrbias.adapter_files import load_adapter
    from asrbias.loading import find_model
    from asrbias.model import load_model
    from asrbias.training.adapter import AdapterTrainer
    from asrbias.training.text import TextSource

    model = load_model(find_model(arguments.model))
    if arguments.init:
        adapter = load_adapter(arguments.init)
    else:
        adapter = ContextualAdapter(AdapterConfig.of(model.encoder.config, **_sizes(arguments)))
    text = TextSource(arguments.sentences, arguments.phone_bank)
    return AdapterTrainer(model, text, arguments.output, options, adapter=adapter, dev=_dev(arguments, model))


def _of_others(arguments: argparse.Namespace, options: AdapterTrainOptions) -> AdapterRun:
    from asrbias.adapter_files import load_adapter
    from asrbias.foreign import load_foreign
    from asrbias.foreign_adapting import new_adapter
    from asrbias.training.recorded import RecordedTrainer

    model = load_foreign(arguments.model, arguments.device)
    adapter = load_adapter(arguments.init) if arguments.init else new_adapter(model, **_sizes(arguments))
    return RecordedTrainer(model, arguments.manifest, arguments.output, options, adapter=adapter)


def _dev(arguments: argparse.Namespace, model: Model) -> Heard | None:
    from asrbias.entities import EntityList
    from asrbias.training.data import Source
    from asrbias.training.heard import Heard

    if not arguments.dev:
        return None
    others = [entity.phrase for entity in EntityList.read(arguments.distractors)] if arguments.distractors else []
    return Heard.of(model, Source.parse(arguments.dev), others)


def _check(arguments: argparse.Namespace) -> None:
    """Raise ValueError for arguments that contradict each other or are out of range."""
    text = arguments.sentences is not None, arguments.phone_bank is not None
    if is_foreign(arguments.model) and (arguments.manifest is None or any(text) or arguments.dev):
        raise ValueError(
            f"{arguments.model} learns from recordings with transcripts; give --manifest FILE, no --sentences, "
            "--phone-bank or --dev."
        )
    if not is_foreign(arguments.model) and (not all(text) or arguments.manifest is not None):
        raise ValueError("A model of asrbias' own learns from text; give --sentences and --phone-bank, no --manifest.")
    for name in (*NUMBERS, *LISTS, *SIZES, "threads"):
        value = getattr(arguments, name)
        low = value is not None and (value <= 0 if name in POSITIVE else value < 0)
        if low or (value is not None and not math.isfinite(value)):
            allowed = "a number above 0" if name in POSITIVE else "0 or more"
            raise ValueError(f"{_flag(name)} is {value}; give {allowed}.")
    if arguments.init and any(getattr(arguments, name) is not None for name in (*SIZES, "pooled", "no_sounds")):
        raise ValueError("The adapter of --init has its sizes already; leave the sizes out.")
    if arguments.output.exists() and not arguments.output.is_dir():
        raise ValueError(f"--output {arguments.output} is a file; name a folder.")
