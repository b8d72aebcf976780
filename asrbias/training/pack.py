"""Manifest -> shards: decodes every recording once, so that training never waits for a codec."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track

from asrbias.audio import read_audio
from asrbias.training.shards import write_shard

Row = tuple[dict[str, Any], npt.NDArray[np.int16]]


def pack(manifest: Path, output: Path, *, by: str | None = None, sample_rate: int = 16_000) -> dict[Path, int]:
    """Decode every line of `manifest` (JSON lines with `audio` and `text`) into the shard `output`.

    With `by`, the name of a field, each of its values gets a shard of its own, `output`-VALUE, so that a training can
    weigh them apart. Returns the samples of each shard, by its path without an ending. A recording that cannot be read
    stops the packing with its line named.
    """
    groups: dict[Path, list[tuple[int, dict[str, Any]]]] = {}
    with open(manifest, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                line = json.loads(text)
                path = output if by is None else output.with_name(f"{output.name}-{line.get(by) or 'none'}")
                groups.setdefault(path, []).append((number, line))
    if not groups:
        raise ValueError(f"{manifest} has no lines; give a manifest with at least one recording.")
    return {path: write_shard(path, _rows(manifest, lines, sample_rate)) for path, lines in sorted(groups.items())}


def _rows(manifest: Path, lines: list[tuple[int, dict[str, Any]]], sample_rate: int) -> Iterator[Row]:
    for number, line in track(lines, f"packing {manifest}"):
        try:
            samples = read_audio(manifest.parent / line["audio"], sample_rate=sample_rate)
        except KeyError:
            raise ValueError(
                f"{manifest}:{number} has no `audio`; every line needs the path of its recording."
            ) from None
        except (OSError, ValueError) as error:
            raise ValueError(f"{manifest}:{number}: {error}") from error
        fields = {key: value for key, value in line.items() if key not in ("audio", "duration")}
        fields.setdefault("id", str(number))
        yield fields, np.clip(np.rint(samples * 32767.0), -32768, 32767).astype(np.int16)
