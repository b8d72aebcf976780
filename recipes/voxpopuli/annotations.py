"""The annotation files of the official release: annotations/asr/asr_LANG.tsv.gz, columns apart by "|".

Columns that are read, as voxpopuli/get_asr_data.py of facebookresearch/voxpopuli reads them: session_id, id_, split,
vad (a Python list of (start, end) in seconds), original_text, normed_text, speaker_id, gender, and where there are such
is_gold_transcript and accent. A recording is raw_audios/original/YEAR/SESSION_original.ogg, YEAR the first four digits
of the session; a segment is its stretches of `vad` one after the other, and its id is SESSION-ID_.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from corpus.errors import RecipeError
from corpus.lines import Unusable

from asrbias.text import normalise

SPLITS = ("train", "dev", "test")
NEEDED = ("session_id", "id_", "split", "vad", "original_text", "normed_text", "speaker_id", "gender")
_LONGEST_FIELD = 10_000_000  # characters


@dataclass(frozen=True)
class Segment:
    """A line of an annotation file."""

    id: str
    session: str
    split: str
    stretches: tuple[tuple[float, float], ...]  # seconds in the session's recording
    original: str  # as it was written down, "" where there is only the other
    text: str  # matching form
    speaker: str
    gender: str
    accent: str
    gold: bool  # checked by people

    @property
    def recording(self) -> Path:
        """Below raw_audios/."""
        return Path("original") / self.session[:4] / f"{self.session}_original.ogg"

    @property
    def seconds(self) -> float:
        return sum(end - start for start, end in self.stretches)


def read_annotations(path: Path) -> tuple[list[Segment], list[Unusable]]:
    """The usable lines of a file, and the others with what is wrong with them.

    Raises RecipeError for a file that cannot be read or has other columns.
    """
    segments: list[Segment] = []
    unusable: list[Unusable] = []
    seen: set[str] = set()
    for number, row in _rows(path):
        place = f"{path.name}:{number}"
        if not isinstance(row, dict):
            unusable.append(Unusable(place, "", row))
            continue
        identity = f"{row['session_id']}-{row['id_']}"
        segment = _segment(identity, row)
        if isinstance(segment, str):
            unusable.append(Unusable(place, identity, segment))
        elif identity in seen:
            unusable.append(Unusable(place, identity, "its id is that of an earlier line"))
        else:
            seen.add(identity)
            segments.append(segment)
    return segments, unusable


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Number and fields of each line, or what is wrong with it.

    Line by line, so that a stray quotation mark costs one line and not all up to the next.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            header = next(csv.reader([file.readline().rstrip("\n")], delimiter="|"), [])
            if missing := [name for name in NEEDED if name not in header]:
                raise RecipeError(
                    f"{path} has no column {missing[0]!r} but {', '.join(header)[:200]}; "
                    "it is not an annotation file of the official release."
                )
            for number, line in enumerate(file, 2):
                fields = next(csv.reader([line.rstrip("\n")], delimiter="|"), [])
                if len(fields) == len(header):
                    yield number, dict(zip(header, fields, strict=True))
                elif fields:
                    yield number, f"it has {len(fields)} columns, not {len(header)}"
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise RecipeError(f"{path} cannot be read ({error}); move it away and download it anew.") from error


def _segment(identity: str, row: dict[str, str]) -> Segment | str:
    """A segment, or why it is none."""
    if row["split"] not in SPLITS:
        return f"its split {row['split']!r} is none of {', '.join(SPLITS)}"
    text = normalise(row["normed_text"]) or normalise(row["original_text"])
    if not text:
        return "it has no text"
    stretches = _stretches(row["vad"])
    if not stretches:
        return f"its vad {row['vad']!r:.60} is no list of (start, end) in seconds"
    return Segment(
        identity,
        row["session_id"],
        row["split"],
        stretches,
        row["original_text"],
        text,
        row["speaker_id"],
        row["gender"] or "unknown",
        row.get("accent") or "None",
        row.get("is_gold_transcript", "False") == "True",
    )


def _stretches(vad: str) -> tuple[tuple[float, float], ...]:
    """(start, end) pairs of the `vad` column; () if it is anything else."""
    try:
        pairs = tuple((float(pair[0]), float(pair[1])) for pair in literal_eval(vad))
    except (ValueError, TypeError, SyntaxError, IndexError, KeyError, MemoryError, RecursionError):
        return ()
    return pairs if all(0 <= start < end and math.isfinite(end) for start, end in pairs) else ()
