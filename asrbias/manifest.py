"""Manifests: JSON lines of recordings in, the same lines with hypotheses out; an interrupted run goes on.

While a run lasts, its lines go to `OUTPUT.KEY.part`, KEY telling manifest, lists and settings, so that a run with
others never continues it. Complete, it is renamed to OUTPUT.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

from asrbias.audio import Samples
from asrbias.decoder import UnusableEntityWarning
from asrbias.entities import EntityList
from asrbias.errors import sentence
from asrbias.files import writing
from asrbias.manifestlines import ManifestError as ManifestError
from asrbias.manifestlines import ManifestLine as ManifestLine
from asrbias.manifestlines import read_manifest as read_manifest
from asrbias.manifestlists import ManifestLists
from asrbias.transcript import Transcript, word_as_dict

if TYPE_CHECKING:
    from asrbias.recognizer import Recognizer

BATCH = 16  # recordings transcribed, then written, together


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
    _check_output(output, manifest)
    lists = ManifestLists(manifest, entities, lines, no_list=no_list)
    part = output.with_name(f"{output.name}.{_key(lines, lists, settings)}.part")
    done = _resume(part)
    console = Console(stderr=True)
    if done:
        said = f"{manifest}: going on after {len(done)} of {len(lines)} recordings"
        console.print(said, markup=False, highlight=False)
    waiting = [line for line in lines if line.id not in done]
    output.parent.mkdir(parents=True, exist_ok=True)
    if waiting:
        ready = recognizer()
        with open(part, "a", encoding="utf-8") as file:
            for rows in _batches(ready, waiting, lists, console):
                with writing(output):
                    file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
                    file.flush()
                    os.fsync(file.fileno())
    with writing(output):
        os.replace(part, output)
    written = (json.loads(line) for line in output.read_text(encoding="utf-8").split("\n") if line)
    failed = [f"{row['id']}: {row['error']}" for row in written if "error" in row]
    console.print(
        f"{output}: {len(lines)} recordings"
        + (f", {len(failed)} of them with an `error` instead, the first {failed[0]}" if failed else ""),
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    return len(failed)


def _check_output(output: Path, manifest: Path) -> None:
    what = "a folder" if output.is_dir() else "the manifest" if output.resolve() == manifest.resolve() else None
    if what is None and output.exists() and not output.is_file():
        what = "no ordinary file"  # a device or a pipe: it would be replaced
    if what is not None:
        raise ManifestError(f"{output} is {what}; name another output file.")


def _batches(
    recognizer: Recognizer, waiting: list[ManifestLine], lists: ManifestLists, console: Console
) -> Iterator[list[dict[str, Any]]]:
    """The output's lines, a batch at a time; says what of the lists cannot be found."""
    batches = [waiting[start : start + BATCH] for start in range(0, len(waiting), BATCH)]
    for batch in track(batches, "transcribing", console=console):
        given = {line.id: lists.of(line) for line in batch}
        for line in batch:
            if said := lists.unusable(line, given[line.id], recognizer.decoder):
                console.print(said, markup=False, highlight=False, soft_wrap=True)
        yield list(_transcribe(recognizer, batch, given))


def _transcribe(
    recognizer: Recognizer, batch: list[ManifestLine], given: Mapping[str, EntityList | None]
) -> Iterator[dict[str, Any]]:
    waves: dict[str, Samples] = {}
    results: dict[str, Transcript] = {}
    errors: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusableEntityWarning)  # said with the line's number
        for line in batch:
            try:
                if (wave := recognizer.whole(line.audio)) is not None:
                    waves[line.id] = wave
                else:  # by itself: it is read bit by bit, and may turn out to be damaged
                    results[line.id] = recognizer.transcribe(line.audio, given[line.id])
            except (OSError, ValueError) as error:  # one bad recording must not end a long run
                errors[line.id] = sentence(error)
        found = recognizer.transcribe_batch(list(waves.values()), [given[key] for key in waves])
    results |= dict(zip(waves, found, strict=True))
    for line in batch:
        yield _output(line, results.get(line.id), errors.get(line.id))


def _output(line: ManifestLine, transcript: Transcript | None, error: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"id": line.id, **line.fields}
    row.pop("error", None)  # of an earlier run, whose output is now the manifest
    if transcript is None:
        return {**row, "hypothesis": "", "words": [], "error": error}
    return {**row, "hypothesis": transcript.text, "words": [word_as_dict(word) for word in transcript.words]}


def _key(lines: list[ManifestLine], lists: ManifestLists, settings: Mapping[str, Any]) -> str:
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
