"""Packed speech: many utterances in one memory-mapped file, so that reading keeps a GPU fed.

A shard is two files: `NAME.pcm`, the int16 little-endian samples of all utterances one after the other, and
`NAME.jsonl`, a line an utterance with `id`, `text`, `entities`, `speaker`, `corpus`, `offset` (its first sample) and
`samples`. The `.jsonl` is written last: a shard without it is unfinished and does not count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Utterance:
    """One line of a shard."""

    id: str
    text: str
    speaker: str
    corpus: str
    shard: Path  # the .pcm file
    offset: int  # first sample
    samples: int
    entities: tuple[str, ...] = ()  # that are said, as the manifest has them


def write_shard(path: Path, utterances: Iterable[tuple[dict[str, Any], npt.NDArray[np.int16]]]) -> int:
    """Write `path`.pcm and `path`.jsonl from (fields, samples [S]) pairs; returns the number of samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    offset = 0
    # Not with_suffix: of "train-v1.0" it would take the ".0".
    pcm, index = (path.with_name(path.name + ending) for ending in (".pcm", ".jsonl"))
    parts = [file.with_name(file.name + ".part") for file in (pcm, index)]
    try:
        with open(parts[0], "wb") as audio, open(parts[1], "w", encoding="utf-8") as lines:
            for fields, samples in utterances:
                audio.write(samples.astype("<i2", copy=False).tobytes())
                row = {**fields, "offset": offset, "samples": len(samples)}
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                offset += len(samples)
            for file in (audio, lines):
                file.flush()
                os.fsync(file.fileno())
        index.unlink(missing_ok=True)  # an earlier shard's, which must not stand beside the new samples
        os.replace(parts[0], pcm)
        os.replace(parts[1], index)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return offset


def read_shard(path: Path) -> Iterator[Utterance]:
    """The utterances of the shard whose index is `path` (`NAME.jsonl`)."""
    pcm = path.with_suffix(".pcm")
    if not pcm.is_file():
        raise FileNotFoundError(f"{path} has no audio beside it: {pcm.name} is missing; write the shard again.")
    size = pcm.stat().st_size // 2
    with open(path, encoding="utf-8", errors="replace") as lines:  # what is no text is no JSON either
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                named = (row["id"], row["text"], row.get("speaker", ""), row.get("corpus", ""))
                offset, samples = int(row["offset"]), int(row["samples"])
                entities = tuple(str(phrase) for phrase in row.get("entities") or ())
            except KeyError as error:
                raise ValueError(f"{path}:{number} is no line of a shard (no {error}); write it again.") from None
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{path}:{number} is no line of a shard ({error}); write it again.") from None
            if offset < 0 or samples < 0 or offset + samples > size:
                raise ValueError(f"{path}:{number} lies beyond the end of {pcm.name} ({size} samples); write it again.")
            yield Utterance(*named, pcm, offset, samples, entities)


class ShardReader:
    """Random access to samples; one memory map a shard, opened when first needed."""

    def __init__(self) -> None:
        self._maps: dict[Path, npt.NDArray[np.int16]] = {}

    def read(self, utterance: Utterance) -> npt.NDArray[np.int16]:
        """Samples [S] of an utterance."""
        if utterance.shard not in self._maps:
            self._maps[utterance.shard] = np.memmap(utterance.shard, dtype="<i2", mode="r")
        return self._maps[utterance.shard][utterance.offset : utterance.offset + utterance.samples]
