"""Entity lists in files: the formats that `EntityList.read` takes, told apart by their content.

Plain text, a phrase a line. Blank lines are skipped; so are comments, lines that start with "# " (a hash and a space):
    the report counts them. "#metoo" is a phrase. A line may end in marks of sherpa-onnx, each after a space:
    ":1.5" is the weight, "@NAME" the display form ("_" stands for a space), "#0.35" (after either of these) a trigger
    threshold, which asrbias does not have, as the report says. Pieces ("▁HE LL O") are joined to words.
Table, a header first (TSV; CSV with "," or ";"). Columns, in any order, all but the first optional:
    phrase, display, weight, sounds_like, pronunciation (ARPAbet), ipa.
    Several sounds_like or pronunciations in one cell stand apart by "|" or ";". Empty cells take the default.
AWS Transcribe table, the header Phrase, SoundsLike, IPA, DisplayAs: hyphens in a phrase stand for spaces
    ("Los-Angeles"), dots follow spoken letters ("A.W.S."); hyphens in SoundsLike divide syllables ("loss-ann-gel-es"),
    which are matched apart and in one word; IPA is turned into ARPAbet.
JSON: ["phrase", ...], [{"phrase": ..., "weight": ...}, ...], or {"phrase": weight, ...}, and JSON lines (.jsonl).

A file is UTF-8 or, by its byte order mark, UTF-16 or UTF-32; else it is read as Windows-1252, and the report says so.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from asrbias.entity import LONGEST_TEXT, Entity, EntityError, EntityTypeError
from asrbias.listtables import COLUMNS, NUMBER, Row, entity_at, find_header, table_rows

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_JSON_START = re.compile(r"\[\s*[\"\[{]|\{\s*\"|[\[{]\s*[\]}]$").match
_GLUED_WEIGHT = re.compile(r"[^\W\d]:\s*[+-]?\d+(?:\.\d+)?$").search


def read_rows(path: str | os.PathLike[str]) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of a list file, and remarks on the file as a whole. Raises EntityError, OSError."""
    if not isinstance(path, (str, os.PathLike)):
        raise EntityTypeError(f"A list is read from a path (str or Path), not from {type(path).__name__}.")
    file = Path(path)
    text, notes = _decode(file.read_bytes(), file)
    suffix, content = file.suffix.lower(), text.strip()
    if suffix in (".json", ".jsonl") or _JSON_START(content):
        rows = list(_json_rows(content, file, lines=suffix == ".jsonl"))
    elif header := find_header(text, file, suffix):
        rows = list(table_rows(text, *header, file))
    elif suffix in (".tsv", ".csv") and content:
        raise EntityError(
            f"{file}, line 1: a {suffix[1:].upper()} list needs a header with the column 'phrase'; "
            f"the columns are {', '.join(COLUMNS)}. For a plain list, a phrase a line, name the file .txt."
        )
    else:
        rows = list(_plain_rows(text, file, notes))
    if not rows:
        notes.append(f"{file} has no entities.")
    return rows, tuple(notes)


def _decode(data: bytes, file: Path) -> tuple[str, list[str]]:
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise EntityError(
                f"{file} starts as {encoding.upper()} but is not: {error.reason}; save it as UTF-8."
            ) from None
        line = data.count(b"\n", 0, error.start) + 1
        text = data.decode("cp1252", errors="replace")
        note = f"{file} is not UTF-8 (line {line}): read as Windows-1252; save it as UTF-8 if names look wrong."
        return _checked(text, file), [note]
    return _checked(text, file), []


def _checked(text: str, file: Path) -> str:
    if "\0" in text:
        raise EntityError(f"{file} is not a text file (it has zero bytes); save the list as text in UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- JSON ------------------------------------------------------------------------------------------------------------

_JSON_FORMS = (
    'a list of strings, a list of objects such as {"phrase": "Kyiv", "weight": 2}, or an object {"phrase": weight}'
)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its repeated keys."""


def _json_rows(content: str, file: Path, *, lines: bool) -> Iterator[Row]:
    if not content:
        return
    if lines:
        items = [_load_json(line, file, n) for n, line in enumerate(content.split("\n"), 1) if line.strip()]
    else:
        items = _load_json(content, file, 1)
    if isinstance(items, _Pairs):
        for phrase, value in items:
            fields = value if isinstance(value, _Pairs) else _Pairs([("weight", value)])
            yield _json_row(_Pairs([("phrase", phrase), *fields]), file, repr(phrase))
    elif isinstance(items, list):
        for number, item in enumerate(items, 1):
            yield _json_row(item, file, f"item {number}")
    else:
        raise EntityError(f"{file}: a JSON list is {_JSON_FORMS}, not {type(items).__name__}.")


def _load_json(text: str, file: Path, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise EntityError(f"{file}, line {line - 1 + error.lineno}: no valid JSON: {error.msg}.") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists in lists in lists
        raise EntityError(f"{file}: no usable JSON: {error}.") from None


def _json_row(item: Any, file: Path, place: str) -> Row:
    if isinstance(item, str):
        return entity_at(file, place, lambda: Entity(item)), ()
    if isinstance(item, _Pairs):
        fields = dict(item)
        if len(fields) < len(item):
            raise EntityError(f"{file}, {place}: a field stands twice in {item!r:.80}; write each once.")
        return entity_at(file, place, lambda: Entity.from_fields(fields)), ()
    raise EntityError(f"{file}, {place}: {item!r:.60} is no entity; a JSON list is {_JSON_FORMS}.")


# --- plain text, with sherpa-onnx's marks ----------------------------------------------------------------------------


def _plain_rows(text: str, file: Path, notes: list[str]) -> Iterator[Row]:
    comments = 0
    for number, line in enumerate(text.split("\n"), 1):
        phrase = line.strip()
        if not phrase:
            continue
        if phrase.startswith("# ") or phrase == "#":
            comments += 1
            continue
        if phrase.isalpha() and len(phrase) <= LONGEST_TEXT:
            yield Entity(phrase), ()
            continue
        if "\t" in phrase:
            raise EntityError(
                f"{file}, line {number}: a tab in a plain list, which has a phrase a line; "
                f"for a table, let the first line name the columns: {', '.join(COLUMNS)}."
            )
        yield _plain_row(phrase, file, f"line {number}")
    if comments:
        notes.append(f"{file}: {comments} comment lines (starting with '# ') skipped.")


def _plain_row(line: str, file: Path, place: str) -> Row:
    words = line.split()
    marks: dict[str, str] = {}
    while len(words) > 1 and len(words[-1]) > 1 and words[-1][0] in ":#@" and words[-1][0] not in marks:
        if words[-1][0] == "#" and not (marks and NUMBER(words[-1][1:])):
            break  # "We're #1" is a phrase
        mark = words.pop()
        marks[mark[0]] = mark[1:]
    if ":" in marks and not NUMBER(marks[":"]):
        raise EntityError(
            f"{file}, {place}: ':{marks[':']:.40}' is no weight; a mark ':' takes a number such as :1.5. "
            "If it belongs to the phrase, use a table or JSON."
        )
    phrase = "".join(words).replace("▁", " ") if any(word[0] == "▁" for word in words) else " ".join(words)

    def make() -> Entity:
        display = marks["@"].replace("_", " ") if "@" in marks else None
        return Entity(phrase, display=display, weight=float(marks.get(":", 1.0)))

    return entity_at(file, place, make), tuple(_plain_remarks(phrase, marks))


def _plain_remarks(phrase: str, marks: dict[str, str]) -> Iterable[str]:
    if "#" in marks:
        yield f"The trigger threshold #{marks['#']} has no effect."
    if "@" in marks:
        yield f"'@{marks['@']}' is taken as the display form."
    if ":" not in marks and _GLUED_WEIGHT(phrase):
        yield "If the number after the colon is a weight, write a space before the colon."
    if phrase.count(",") > 1:
        yield "One phrase; if the commas divide several, write each in a line of its own."
