"""`asrbias pack`: a manifest's recordings into shards for training."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias pack` to a parser."""
    parser.description = (
        "Decode every recording of a manifest once into OUTPUT.pcm and OUTPUT.jsonl, for `asrbias train`."
    )
    parser.add_argument("manifest", type=Path, help="JSON lines with `audio` and `text`")
    parser.add_argument("output", type=Path, help="path of the shard, without an ending")
    parser.add_argument(
        "--by", metavar="FIELD", help="a shard for each value of this field (OUTPUT-VALUE), to weigh them apart"
    )


def run(arguments: argparse.Namespace) -> int:
    """Pack; says how much there is."""
    from asrbias.training.pack import pack

    if arguments.output.name in ("", ".."):
        raise ValueError(f"The output {str(arguments.output)!r} has no name; give the shard's path, as shards/train.")
    if arguments.output.suffix in (".jsonl", ".pcm"):
        raise ValueError(
            f"{arguments.output} has an ending; give the path of the shard without {arguments.output.suffix}."
        )
    for path, samples in pack(arguments.manifest, arguments.output, by=arguments.by).items():
        print(f"{path}.jsonl: {samples / 16_000 / 3600:.2f} h")
    return 0
