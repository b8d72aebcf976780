"""The lines of a manifest, read and checked.

NeMo's are read too: `audio_filepath` for `audio`, and `offset` with `duration` for a part of a file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asrbias.audio import AudioPart
from asrbias.errors import reason


class ManifestError(ValueError):
    """A manifest cannot be used; the message says which line and why."""


@dataclass(frozen=True)
class ManifestLine:
    """A line with what is needed of it; `fields` are repeated in the output."""

    number: int
    id: str
    audio: Path
    entities: list[Any] | Path | None  # the list for this recording, or its file: `list`, else `entities`
    fields: Mapping[str, Any]
    part: tuple[float, float | None] | None = None  # where in the file it begins and how long it is, seconds

    @property
    def source(self) -> Path | AudioPart:
        """What is read."""
        return self.audio if self.part is None else AudioPart(self.audio, *self.part)


def read_manifest(path: Path) -> list[ManifestLine]:
    """All lines; raises ManifestError at the first that cannot be used. Audio paths are relative to the manifest."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is no UTF-8 text (byte {error.start}); give JSON lines with `audio`.") from None
    lines: list[ManifestLine] = []
    first: dict[str, int] = {}
    for number, text in enumerate(content.split("\n"), 1):
        if not text.strip():
            continue
        line = read_line(path, number, text)
        if line.id in first:
            raise ManifestError(
                f"{path}:{number}: the id {line.id!r} is that of line {first[line.id]}; ids must differ."
            )
        first[line.id] = number
        lines.append(line)
    if not lines:
        raise ManifestError(f"{path} has no lines; give JSON lines with `audio`.")
    return lines


def read_line(path: Path, number: int, text: str) -> ManifestLine:
    """One line of the manifest `path`. Raises ManifestError, which names it by its number."""
    try:
        row = json.loads(text)
        if "\\u" in text:
            json.dumps(row, ensure_ascii=False).encode()  # as the output repeats it
    except UnicodeEncodeError:
        raise ManifestError(f"{path}:{number} has half a character (\\ud800 to \\udfff); repair it.") from None
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, lists in lists in lists
        raise ManifestError(f"{path}:{number} is no JSON ({reason(error)}); write one object a line.") from None
    audio = row.get("audio", row.get("audio_filepath")) if isinstance(row, dict) else None
    if not isinstance(audio, str) or not audio:
        raise ManifestError(f'{path}:{number} has no `audio` path; write {{"id": ..., "audio": "path", ...}}.')
    if isinstance(row.get("id", ""), bool) or not isinstance(row.get("id", ""), (str, int)):
        raise ManifestError(f"{path}:{number}: the id is {row['id']!r:.60}; write text or a whole number.")
    listed = row.get("list", row.get("entities"))
    if isinstance(listed, str):
        listed = path.parent / listed
    elif listed is not None and not isinstance(listed, list):
        raise ManifestError(
            f"{path}:{number}: the list is {listed!r:.60}; write a JSON array of phrases, or a file's name."
        )
    return ManifestLine(number, str(row.get("id", number)), path.parent / audio, listed, row, _part(path, number, row))


def _part(path: Path, number: int, row: Mapping[str, Any]) -> tuple[float, float | None] | None:
    """`offset` and `duration` as NeMo's manifests have them; a duration alone is that of the file."""
    if row.get("offset") is None:
        return None
    start, seconds = row["offset"], row.get("duration")
    for name, value in (("offset", start), ("duration", seconds)):
        number_there = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (value is None or (number_there and 0 <= value < math.inf)):
            raise ManifestError(f"{path}:{number}: the {name} is {value!r:.60}; write seconds, 0 or more.")
    return float(start), None if seconds is None else float(seconds)
