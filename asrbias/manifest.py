"""Manifests: JSON lines of recordings in, the same lines with hypotheses out; an interrupted run goes on.

While a run lasts, its lines go to `OUTPUT.KEY.part`, KEY telling manifest, lists and settings, so that a run with
others never continues it. Complete, it is renamed to OUTPUT.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is no UTF-8 text (byte {error.start}); give JSON lines with `audio`.") from None
    lines: list[ManifestLine] = []
    first: dict[str, int] = {}
    for number, text in enumerate(content.split("\n"), 1):
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
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, lists in lists in lists
        raise ManifestError(f"{path}:{number} is no JSON ({error}); write one object a line.") from None
    if not isinstance(row, dict) or not isinstance(row.get("audio"), str) or not row["audio"]:
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
) -> int:
    """Transcribe every line of `manifest` to `output`; `recognizer` is called once there is something to do.

    Returns how many recordings could not be transcribed: their lines have an `error` and an empty `hypothesis`.
    Whatever is wrong with the manifest or its lists is raised before the first recording: no long run ends on it.
    """
    lines = read_manifest(manifest)
    if output.is_dir() or output.resolve() == manifest.resolve():
        raise ManifestError(
            f"{output} is {'a folder' if output.is_dir() else 'the manifest'}; name another output file."
        )
    lists = _Lists(manifest, entities, lines, no_list=no_list)
    part = output.with_name(f"{output.name}.{_key(lines, lists, settings)}.part")
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
                for row in _transcribe(ready, batch, lists):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
    os.replace(part, output)
    failed = sum("error" in json.loads(line) for line in output.read_text(encoding="utf-8").split("\n") if line)
    console.print(
        f"{output}: {len(lines)} recordings" + (f", {failed} of them with an `error` instead" if failed else "")
    )
    return failed


def _transcribe(recognizer: Recognizer, batch: list[ManifestLine], lists: _Lists) -> Iterator[dict[str, Any]]:
    waves, usable = [], []
    errors: dict[str, str] = {}
    for line in batch:
        try:
            waves.append(recognizer.samples(line.audio))
        except (OSError, ValueError) as error:  # one bad recording must not end a long run
            errors[line.id] = str(error)
            continue
        usable.append(line)
    found = recognizer.transcribe_batch(waves, [lists.of(line) for line in usable])
    results = {line.id: transcript for line, transcript in zip(usable, found, strict=True)}
    for line in batch:
        yield _output(line, results.get(line.id), errors.get(line.id))


def _output(line: ManifestLine, transcript: Transcript | None, error: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"id": line.id, **line.fields}
    row.pop("error", None)  # of an earlier run, whose output is now the manifest
    if transcript is None:
        return {**row, "hypothesis": "", "words": [], "error": error}
    return {**row, "hypothesis": transcript.text, "words": [word_as_dict(word) for word in transcript.words]}


class _Lists:
    """The list for each line: the one for all lines and the line's own, a file read once. Checks all at the start."""

    def __init__(self, manifest: Path, common: EntityList | None, lines: list[ManifestLine], *, no_list: bool) -> None:
        self.manifest, self.common, self.no_list = manifest, common, no_list
        self.files: dict[Path, EntityList] = {}
        if not no_list:
            for line in lines:
                self._own(line)

    def of(self, line: ManifestLine) -> EntityList | None:
        if self.no_list:
            return None
        own = self._own(line)
        if own is None or self.common is None:
            return self.common if own is None else own
        return EntityList([*self.common, *own])

    def _own(self, line: ManifestLine) -> EntityList | None:
        if line.entities is None:
            return None
        try:
            if isinstance(line.entities, list):
                return EntityList(line.entities)
            if line.entities not in self.files:
                self.files[line.entities] = EntityList.read(line.entities)
            return self.files[line.entities]
        except OSError as error:
            place = f"{self.manifest}:{line.number}"
            raise ManifestError(f"{place}: the list {line.entities} cannot be read ({error.strerror}).") from error
        except (EntityError, EntityTypeError) as error:
            raise ManifestError(f"{self.manifest}:{line.number}: {error}") from error

    @property
    def digests(self) -> list[Any]:
        """What tells them from others; lists that stand in the manifest's lines are told by these."""
        files = sorted((str(path), entities.digest) for path, entities in self.files.items())
        return [self.no_list, self.common.digest if self.common is not None else None, files]


def _key(lines: list[ManifestLine], lists: _Lists, settings: Mapping[str, Any]) -> str:
    content = json.dumps([[line.fields for line in lines], lists.digests, settings], sort_keys=True)
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
    # As text, as ManifestLine has them: the manifest, and so its output, may have numbers.
    return {str(json.loads(line)["id"]) for line in data[:whole].splitlines()}
