"""Manifest -> shards: decodes every recording once, so that training never waits for a codec."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track

from asrbias.training.shards import write_shard

Row = tuple[dict[str, Any], npt.NDArray[np.int16]]


def pack(manifest: Path, output: Path, *, sample_rate: int = 16_000) -> int:
    """Decode every line of `manifest` (JSON lines with `audio` and `text`) into the shard `output`.

    Returns the number of samples. A recording that cannot be read stops the packing with its line named.
    """
    from asrbias.audio import read_audio

    with open(manifest, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]

    def rows() -> Iterator[Row]:
        for number, line in enumerate(track(lines, f"packing {manifest}"), 1):
            try:
                samples = read_audio(manifest.parent / line["audio"], sample_rate=sample_rate)
            except (OSError, ValueError) as error:
                raise ValueError(f"{manifest}:{number}: {error}") from error
            fields = {key: value for key, value in line.items() if key not in ("audio", "duration")}
            fields.setdefault("id", str(number))
            yield fields, np.clip(np.rint(samples * 32767.0), -32768, 32767).astype(np.int16)

    return write_shard(output, rows())
