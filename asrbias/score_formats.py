"""Files of references and hypotheses, line by line: each format is one generator of records.

jsonl   our JSON lines: id, text, hypothesis, entities, list, list_size, duration, and fields to group by
is21    tab-separated: id, reference, rare words (JSON), biasing list (JSON); or id, hypothesis
kaldi   `id text`, as Kaldi and ESPnet write it
nemo    NeMo manifests: audio_filepath, text, pred_text, duration
text    one utterance a line; the line number is the id
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asrbias.errors import reason, sentence
from asrbias.score_results import ScoreInputError


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one line says of one utterance; None where it says nothing."""

    id: str
    where: str  # "line 3 of out.jsonl"
    text: str | None = None  # the reference; in a file of hypotheses also the hypothesis
    hypothesis: str | None = None
    entities: tuple[str, ...] | None = None
    list: tuple[str, ...] | Path | None = None  # a path names a file of phrases
    list_size: int | None = None
    biasing_words: frozenset[str] | None = None
    duration: float | None = None  # seconds
    fields: Mapping[str, object] = field(default_factory=dict)


def lines(path: Path) -> list[str]:
    """The lines of a text file, also of a gzipped one, without line ends."""
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScoreInputError(f"{path} is not UTF-8 text (byte {error.start}); convert it to UTF-8.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ScoreInputError(f"{path} is gzip'd and cannot be unzipped ({error}); take it anew.") from error
    except OSError as error:
        raise ScoreInputError(sentence(error)) from error
    split = text.replace("\r\n", "\n").split("\n")
    return split[:-1] if split[-1] == "" else split


def guess_format(path: Path, rows: list[str]) -> str:
    """The format of a file whose format was not named."""
    first = next((row for row in rows if row.strip()), "")
    if first.startswith("{"):
        nemo = '"audio_filepath"' in first and '"hypothesis"' not in first
        return "nemo" if nemo else "jsonl"
    if "\t" in first:
        return "is21"
    raise ScoreInputError(
        f"The format of {path} cannot be told from its first line, {first[:60]!r}; name it with --format "
        f"({', '.join(FORMATS)})."
    )


def read_jsonl(path: Path, rows: list[str]) -> Iterator[Record]:
    for where, line in _json_lines(path, rows):
        key = line.get("id", line.get("audio"))
        if isinstance(key, int) and not isinstance(key, bool):  # as `asrbias transcribe` takes it
            key = str(key)
        if not isinstance(key, str) or not key:
            raise ScoreInputError(f"{where} has no `id`; give each utterance an id, a string or a whole number.")
        where = f"{where} ({key!r})"
        listed = line.get("list")
        size = line.get("list_size")
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
            raise ScoreInputError(f"`list_size` is {size!r} at {where}; it is a number of phrases, 0 or more.")
        yield Record(
            id=key,
            where=where,
            text=_text(line, "text", where),
            hypothesis=_text(line, "hypothesis", where),
            entities=_phrases(line, "entities", where),
            list=path.parent / listed if isinstance(listed, str) else _phrases(line, "list", where),
            list_size=size,
            biasing_words=_words(line, where),
            duration=_duration(line, where),
            fields=line,
        )


def read_nemo(path: Path, rows: list[str]) -> Iterator[Record]:
    for where, line in _json_lines(path, rows):
        key = line.get("id", line.get("audio_filepath"))
        if not isinstance(key, str) or not key:
            raise ScoreInputError(f"{where} has no `audio_filepath`; it tells the utterances of a NeMo manifest apart.")
        where = f"{where} ({key!r})"
        yield Record(
            id=key,
            where=where,
            text=_text(line, "text", where),
            hypothesis=_text(line, "pred_text", where),
            entities=_phrases(line, "entities", where),
            list=_phrases(line, "list", where),
            duration=_duration(line, where),
            fields=line,
        )


def read_is21(path: Path, rows: list[str]) -> Iterator[Record]:
    for number, row in enumerate(rows, 1):
        columns = row.strip().split("\t")
        if columns == [""]:
            continue
        key, text = columns[0], columns[1] if len(columns) > 1 else ""
        where = f"line {number} of {path} ({key!r})"
        if " " in key:
            raise ScoreInputError(f"The id at {where} has a space; is21 columns are separated by tabs.")
        if len(columns) < 3:
            yield Record(id=key, where=where, text=text)
            continue
        rare = _json_words(columns[2], "rare words (column 3)", where)
        listed = _json_words(columns[3], "biasing list (column 4)", where) if len(columns) > 3 else rare
        absent = sorted(set(rare) - set(text.split()))
        if absent:
            raise ScoreInputError(
                f"The rare words (column 3) hold {absent[0]!r}, which the reference does not have, at {where}; "
                "column 3 is for rare words of the reference, column 4 for the biasing list."
            )
        yield Record(id=key, where=where, text=text, entities=rare, list=listed, biasing_words=frozenset(rare))


def read_kaldi(path: Path, rows: list[str]) -> Iterator[Record]:
    for number, row in enumerate(rows, 1):
        if row.strip():
            key, *rest = row.split(None, 1)
            yield Record(id=key, where=f"line {number} of {path} ({key!r})", text=rest[0].strip() if rest else "")


def read_text(path: Path, rows: list[str]) -> Iterator[Record]:
    for number, row in enumerate(rows, 1):
        yield Record(id=str(number), where=f"line {number} of {path}", text=row.strip())


FORMATS: dict[str, Callable[[Path, list[str]], Iterator[Record]]] = {
    "jsonl": read_jsonl,
    "is21": read_is21,
    "kaldi": read_kaldi,
    "nemo": read_nemo,
    "text": read_text,
}


def _json_lines(path: Path, rows: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        where = f"line {number} of {path}"
        try:
            line = json.loads(row)
        except (ValueError, RecursionError) as error:
            raise ScoreInputError(f"{where} is not JSON ({reason(error)}); write one object a line.") from error
        if not isinstance(line, dict):
            raise ScoreInputError(f'{where} is no JSON object; a line looks like {{"id": "...", "text": "..."}}.')
        yield where, line


def _text(line: Mapping[str, object], name: str, where: str) -> str | None:
    value = line.get(name)
    if value is not None and not isinstance(value, str):
        raise ScoreInputError(f"`{name}` is {value!r:.60} at {where}; it must be a string.")
    return value


def _duration(line: Mapping[str, object], where: str) -> float | None:
    value = line.get("duration")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ScoreInputError(f"`duration` is {value!r:.60} at {where}; it must be a number of seconds.")
    return float(value)


def _phrases(line: Mapping[str, object], name: str, where: str) -> tuple[str, ...] | None:
    value = line.get(name)
    if value is None:
        return None
    if isinstance(value, list):
        # An entity is found where the hypothesis shows it: in its display form.
        phrases = tuple(
            item.get("phrase") and (item.get("display") or item["phrase"]) if isinstance(item, dict) else item
            for item in value
        )
        if all(isinstance(phrase, str) for phrase in phrases):
            return tuple(
                sys.intern(p) for p in phrases if p is not None
            )  # the lists of a run are the same phrases again and again
    raise ScoreInputError(f"`{name}` is {value!r:.60} at {where}; it must be a list of phrases (strings).")


def _words(line: Mapping[str, object], where: str) -> frozenset[str] | None:
    words = _phrases(line, "biasing_words", where)
    return None if words is None else frozenset(words)


def _json_words(column: str, name: str, where: str) -> tuple[str, ...]:
    try:
        words = json.loads(column)
    except ValueError:
        words = None
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return tuple(words)
    raise ScoreInputError(f"The {name} are {column[:60]!r} at {where}; they must be a JSON list of strings.")
