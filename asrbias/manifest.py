"""Manifests: JSON lines of recordings in, the same lines with hypotheses out; an interrupted run goes on.

While a run lasts, its lines go to `OUTPUT.KEY.part`, KEY telling model, list and settings, so that a run with others
never continues it. Complete, it is renamed to OUTPUT.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

from asrbias.entities import EntityError, EntityList, EntityTypeError
from asrbias.transcript import Transcript, word_as_dict

if TYPE_CHECKING:
    from asrbias.recognizer import Recognizer

BATCH = 16  # recordings transcribed, then written, together


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


def read_manifest(path: Path) -> list[ManifestLine]:
    """All lines; raises ManifestError at the first that cannot be used. Audio paths are relative to the manifest."""
    lines: list[ManifestLine] = []
    first: dict[str, int] = {}
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            line = _read_line(path, number, text)
            if line.id in first:
                raise ManifestError(
                    f"{path}:{number}: the id {line.id!r} is that of line {first[line.id]}; ids must differ."
                )
            first[line.id] = number
            lines.append(line)
    if not lines:
        raise ManifestError(f"{path} has no lines; give JSON lines with `audio`.")
    return lines


def _read_line(path: Path, number: int, text: str) -> ManifestLine:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise ManifestError(f"{path}:{number} is no JSON ({error}); write one object a line.") from None
    if not isinstance(row, dict) or not isinstance(row.get("audio"), str):
        raise ManifestError(f'{path}:{number} has no `audio` path; write {{"id": ..., "audio": "path", ...}}.')
    listed = row.get("list", row.get("entities"))
    if isinstance(listed, str):
        listed = path.parent / listed
    elif listed is not None and not isinstance(listed, list):
        raise ManifestError(
            f"{path}:{number}: the list is {listed!r}; write a JSON array of phrases, or a file's name."
        )
    return ManifestLine(number, str(row.get("id", number)), path.parent / row["audio"], listed, row)


def transcribe_manifest(
    manifest: Path,
    output: Path,
    recognizer: Callable[[], Recognizer],
    entities: EntityList | None,
    *,
    no_list: bool,
    settings: Mapping[str, Any],
) -> None:
    """Transcribe every line of `manifest` to `output`; `recognizer` is called once there is something to do."""
    lines = read_manifest(manifest)
    key = _key(lines, entities, {**settings, "no_list": no_list})
    part = output.with_name(f"{output.name}.{key}.part")
    done = _resume(part)
    console = Console(stderr=True)
    if done:
        console.print(f"{manifest}: going on after {len(done)} of {len(lines)} recordings")
    waiting = [line for line in lines if line.id not in done]
    output.parent.mkdir(parents=True, exist_ok=True)
    if waiting:
        ready = recognizer()
        batches = [waiting[start : start + BATCH] for start in range(0, len(waiting), BATCH)]
        with open(part, "a", encoding="utf-8") as file:
            for batch in track(batches, "transcribing", console=console):
                for row in _transcribe(ready, batch, manifest, entities, no_list=no_list):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
    os.replace(part, output)
    failed = sum("error" in json.loads(line) for line in output.read_text(encoding="utf-8").splitlines())
    console.print(
        f"{output}: {len(lines)} recordings" + (f", {failed} of them with an `error` instead" if failed else "")
    )


def _transcribe(
    recognizer: Recognizer, batch: list[ManifestLine], manifest: Path, common: EntityList | None, *, no_list: bool
) -> Iterator[dict[str, Any]]:
    from asrbias.audio import load_audio

    waves, lists, usable = [], [], []
    errors: dict[str, str] = {}
    for line in batch:
        try:
            waves.append(load_audio(line.audio, sample_rate=recognizer.sample_rate))
        except (OSError, ValueError) as error:  # one bad recording must not end a long run
            errors[line.id] = str(error)
            continue
        lists.append(None if no_list else _list_of(line, manifest, common))
        usable.append(line.id)
    results = dict(zip(usable, recognizer.transcribe_batch(waves, lists), strict=True)) if usable else {}
    for line in batch:
        yield _output(line, results.get(line.id), errors.get(line.id))


def _output(line: ManifestLine, transcript: Transcript | None, error: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"id": line.id, **line.fields}
    if transcript is None:
        return {**row, "hypothesis": "", "words": [], "error": error}
    return {**row, "hypothesis": transcript.text, "words": [word_as_dict(word) for word in transcript.words]}


def _list_of(line: ManifestLine, manifest: Path, common: EntityList | None) -> EntityList | None:
    if line.entities is None:
        return common
    try:
        own = _read_list(line.entities) if isinstance(line.entities, Path) else EntityList(line.entities)
    except (EntityError, EntityTypeError) as error:
        raise ManifestError(f"{manifest}:{line.number}: {error}") from error
    return own if common is None else EntityList([*common, *own])


@lru_cache(maxsize=8)
def _read_list(path: Path) -> EntityList:
    return EntityList.read(path)


def _key(lines: list[ManifestLine], entities: EntityList | None, settings: Mapping[str, Any]) -> str:
    content = json.dumps(
        [[line.fields for line in lines], entities.digest if entities is not None else None, settings], sort_keys=True
    )
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _resume(part: Path) -> set[str]:
    """Ids already written; a last line that was cut short is taken off the file."""
    if not part.is_file():
        return set()
    data = part.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with open(part, "r+b") as file:
            file.truncate(whole)
    return {json.loads(line)["id"] for line in data[:whole].splitlines()}
