"""Tables of entities: TSV, CSV, and the AWS Transcribe custom vocabulary; listfiles.py describes them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from asrbias.entity import FIELDS, Entity, EntityError, EntityTypeError
from asrbias.ipa import to_arpabet

Row = tuple[Entity, tuple[str, ...]]  # an entity and remarks on it, for the report

COLUMNS = (*FIELDS, "ipa")
_AWS = {"phrase": "phrase", "soundslike": "sounds_like", "ipa": "ipa", "displayas": "display"}
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?").fullmatch


def entity_at(file: Path, place: str, make: Callable[[], Entity]) -> Entity:
    """An entity, whose errors say where in the file it stands."""
    try:
        return make()
    except (EntityError, EntityTypeError) as error:
        raise EntityError(f"{file}, {place}: {error}") from None


def find_header(text: str, file: Path, suffix: str) -> tuple[str, dict[str, int], bool] | None:
    """Delimiter, column -> position, whether an AWS table; None if the first line is no header."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    for delimiter in "\t,;":
        cells = [cell.strip().strip('"').strip().lower() for cell in first.split(delimiter)]
        table = suffix in (".tsv", ".csv") or delimiter == "\t" or {*cells} <= {"", *COLUMNS, *_AWS}
        if "phrase" in cells and table and (len(cells) > 1 or delimiter == "\t"):
            break
    else:
        if first.strip().strip('"').lower() != "phrase":
            return None
        delimiter, cells = "\t", ["phrase"]
    aws = "displayas" in cells or "soundslike" in cells
    while cells[-1] == "":
        cells.pop()
    allowed = _AWS if aws else dict(zip(COLUMNS, COLUMNS, strict=True))
    for cell in cells:
        if cell not in allowed:
            names = "Phrase, SoundsLike, IPA, DisplayAs" if aws else ", ".join(COLUMNS)
            raise EntityError(f"{file}: unknown column {cell!r}; the columns are {names}.")
        if cells.count(cell) > 1:
            raise EntityError(f"{file}: the column {cell!r} stands twice in the header.")
    return delimiter, {allowed[cell]: place for place, cell in enumerate(cells)}, aws


def _records(text: str, delimiter: str, file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every line that is not blank, the header's too."""
    if delimiter == "\t":  # TSV has no quoting of its own, but spreadsheets quote whole cells
        for number, row in enumerate(text.split("\n"), 1):
            if row.strip():
                yield number, [_unquoted(cell.strip()) for cell in row.split("\t")]
        return
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    first = 1  # a quoted cell may go over several lines
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield first, cells
            first = reader.line_num + 1
    except csv.Error as error:
        raise EntityError(f"{file}, line {first}: not valid CSV: {error}.") from None


def _unquoted(cell: str) -> str:
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', "")
    return cell[1:-1].replace('""', '"') if quoted else cell


def table_rows(text: str, delimiter: str, columns: dict[str, int], aws: bool, file: Path) -> Iterator[Row]:
    for number, cells in list(_records(text, delimiter, file))[1:]:
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            raise EntityError(
                f"{file}, line {number}: {len(cells)} cells, but the header has {len(columns)} columns; "
                "leave no delimiter inside a cell (in CSV, put the cell in double quotes)."
            )
        found = {name: cells[place].strip() if place < len(cells) else "" for name, place in columns.items()}
        if not found["phrase"]:
            raise EntityError(f"{file}, line {number}: the column 'phrase' is empty; every row needs one.")
        yield _table_row(found, aws, file, f"line {number}")


def _table_row(cells: dict[str, str], aws: bool, file: Path, place: str) -> Row:
    remarks: tuple[str, ...] = ()
    weight = cells.get("weight", "")
    if weight and not NUMBER(weight):
        raise EntityError(
            f"{file}, {place}: the weight {weight!r:.40} is no number; 1 is the default, -10..10 allowed."
        )
    sounds_like = _several(cells.get("sounds_like", ""))
    pronunciation = _several(cells.get("pronunciation", ""))
    if ipa := cells.get("ipa", ""):
        phones, lost = to_arpabet(ipa)
        if lost or not phones:
            remarks = (f"The IPA {ipa!r} is left out: no English phone for {' '.join(lost) or 'it'}.",)
        else:
            pronunciation.append(phones)
    phrase, display = cells["phrase"], cells.get("display") or None
    if aws:
        phrase = phrase.replace("-", " ")
        sounds_like = [form for s in sounds_like for form in (s.replace("-", " "), s.replace("-", ""))]

    def make() -> Entity:
        return Entity(
            phrase,
            display=display,
            weight=float(weight) if weight else 1.0,
            sounds_like=tuple(sounds_like),
            pronunciation=tuple(pronunciation),
        )

    return entity_at(file, place, make), remarks


def _several(cell: str) -> list[str]:
    return [part.strip() for part in re.split(r"[|;]", cell) if part.strip()] if cell else []
