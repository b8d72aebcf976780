"""Manifests: JSON lines of recordings in, the same lines with hypotheses out; an interrupted run goes on.

While a run lasts, its lines go to `OUTPUT.KEY.part`, KEY telling manifest, lists and settings, so that a run with
others never continues it. Complete, it is renamed to OUTPUT.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Container, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import track

from asrbias.decoder import UnusableEntityWarning
from asrbias.entities import EntityList
from asrbias.errors import sentence
from asrbias.files import writing
from asrbias.manifestlines import ManifestError as ManifestError
from asrbias.manifestlines import ManifestLine as ManifestLine
from asrbias.manifestlines import read_manifest as read_manifest
from asrbias.manifestlists import ManifestLists
from asrbias.pipeline import Failed, PipelineOptions, Recording, transcripts
from asrbias.transcript import Transcript, word_as_dict

if TYPE_CHECKING:
    from asrbias.phrases import Unusable
    from asrbias.recognizer import Recognizer

WINDOW = 16  # recordings that are grouped by length on a CPU; on a GPU more (PipelineOptions)
SYNCED = 16  # lines that a machine that dies may lose

Rows = Generator[dict[str, Any], None, None]  # lines of the output
# All lines, the ids of those that are written already, the lists, and what is told which phrases cannot be found -> the
# output of the other lines as it is known, in order.
Transcriber = Callable[[Sequence[ManifestLine], Container[str], ManifestLists, Callable[[str], None]], Rows]


def transcribe_manifest(
    manifest: Path,
    output: Path,
    transcriber: Transcriber,
    entities: EntityList | None,
    *,
    no_list: bool,
    settings: Mapping[str, Any],
) -> int:
    """Transcribe every line of `manifest` to `output`; `transcriber` is called if there is something to do.

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
    waiting = len(lines) - len(done)
    output.parent.mkdir(parents=True, exist_ok=True)
    if waiting:
        rows = transcriber(lines, done, lists, partial(_say, console))
        with open(part, "a", encoding="utf-8") as file, _quiet(), closing(rows):
            for number, row in enumerate(track(rows, "transcribing", waiting, console=console), 1):
                with writing(output):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    file.flush()  # so it survives this process, and what follows the machine
                    if number % SYNCED == 0 or number == waiting:
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


def in_process(recognizer: Callable[[], Recognizer]) -> Transcriber:
    """Transcribes here, with what `recognizer` makes."""

    def rows(
        lines: Sequence[ManifestLine], done: Container[str], lists: ManifestLists, say: Callable[[str], None]
    ) -> Rows:
        made = recognizer()
        window = PipelineOptions().window if made.device.type == "cuda" else WINDOW
        waiting = [line for block in blocks(lines, done, window) for line in block]
        found = output_rows(made, waiting, lists, say)
        with closing(found):
            yield from (row for line, row in zip(waiting, found, strict=True) if line.id not in done)

    return rows


def blocks(lines: Sequence[ManifestLine], done: Container[str], window: int) -> list[Sequence[ManifestLine]]:
    """Lines that are transcribed together, of which some are not done.

    Those of them that are done are transcribed again, if not written: so a recording is always encoded beside the same
    others, and the last digits of a confidence do not tell where a run was stopped.
    """
    cut = (lines[start : start + window] for start in range(0, len(lines), window))
    return [block for block in cut if any(line.id not in done for line in block)]


def output_rows(
    recognizer: Recognizer, lines: Sequence[ManifestLine], lists: ManifestLists, say: Callable[[str], None]
) -> Rows:
    """The output's lines as they are known, in order; `say` is told what of their lists cannot be found."""
    unusable: dict[str, Sequence[Unusable]] = {}

    def listed(line: ManifestLine) -> EntityList | None:  # on a decoding thread, which has it compiled then
        found = lists.of(line)
        if found:
            unusable[line.id] = recognizer.decoder.compile(found).unusable
        return found

    recordings = (Recording(one.source, partial(listed, one), f"{lists.manifest}:{one.number}") for one in lines)
    options = PipelineOptions() if recognizer.device.type == "cuda" else PipelineOptions(window=WINDOW)
    with closing(transcripts(recognizer, recordings, options)) as found:
        for line, one in zip(lines, found, strict=True):
            if said := lists.said_unusable(line, unusable.pop(line.id, ())):
                say(said)
            yield _output(line, one)


def _say(console: Console, said: str) -> None:
    console.print(said, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """What cannot be found of a list is said with the line's number instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusableEntityWarning)
        yield


def _output(line: ManifestLine, transcript: Transcript | Failed) -> dict[str, Any]:
    row: dict[str, Any] = {"id": line.id, **line.fields}
    row.pop("error", None)  # of an earlier run, whose output is now the manifest
    if isinstance(transcript, Failed):  # one bad recording must not end a long run
        return {**row, "hypothesis": "", "words": [], "error": sentence(transcript.error)}
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
