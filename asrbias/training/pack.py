"""Manifest -> shards: decodes every recording once, so that training never waits for a codec."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from asrbias.audio import load_audio
from asrbias.manifest import ManifestError, ManifestLine, read_manifest
from asrbias.training.shards import write_shard

Row = tuple[dict[str, Any], npt.NDArray[np.int16]]
PLACES = ("audio", "audio_filepath", "offset", "duration")  # fields of a manifest that are none of a shard


def pack(manifest: Path, output: Path, *, by: str | None = None, sample_rate: int = 16_000) -> dict[Path, int]:
    """Decode every line of `manifest` (JSON lines with `audio` and `text`) into the shard `output`.

    With `by`, the name of a field, each of its values gets a shard of its own, `output`-VALUE, so that a training can
    weigh them apart. Returns the samples of each shard, by its path without an ending. A recording that cannot be read
    stops the packing with its line named.
    """
    groups: dict[Path, list[ManifestLine]] = {}
    lines = read_manifest(manifest)
    if by is not None and not any(by in line.fields for line in lines):
        fields = ", ".join(sorted({field for line in lines for field in line.fields}))
        raise ManifestError(f"No line of {manifest} has the field {by!r}; the fields are {fields}.")
    for line in lines:
        if not isinstance(line.fields.get("text"), str):
            raise ManifestError(f"{manifest}:{line.number} has no `text`; training needs what was said.")
        path = output
        if by is not None:
            value = line.fields.get(by)
            if isinstance(value, (list, dict)):
                raise ManifestError(f"{manifest}:{line.number}: `{by}` is {value!r:.60}; --by takes text or a number.")
            value = re.sub(r"[/\\\0]", "_", "none" if value in (None, "") else str(value))
            path = output.with_name(f"{output.name}-{value}")
        groups.setdefault(path, []).append(line)
    for path in groups:
        if path.with_name(f"{path.name}.jsonl").resolve() == manifest.resolve():
            raise ManifestError(f"The shard {path}.jsonl would overwrite the manifest; name another output.")
    return {path: write_shard(path, _rows(manifest, lines, sample_rate)) for path, lines in sorted(groups.items())}


def _rows(manifest: Path, lines: list[ManifestLine], sample_rate: int) -> Iterator[Row]:
    for line in track(lines, f"packing {escape(str(manifest))}", console=Console(stderr=True)):
        try:
            samples = load_audio(line.source, sample_rate=sample_rate)
        except (OSError, ValueError) as error:
            raise ManifestError(f"{manifest}:{line.number}: {error}") from error
        fields = {key: value for key, value in line.fields.items() if key not in PLACES}
        pcm = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype(np.int16)
        yield {**fields, "id": line.id}, pcm
