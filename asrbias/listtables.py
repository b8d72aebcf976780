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
    """The rows of a table whose header is known. Raises EntityError with file, line and what is allowed."""
    for number, cells in list(_records(text, delimiter, file))[1:]:
        try:
            row = _table_row(cells, columns, aws)
        except (EntityError, EntityTypeError) as error:
            raise EntityError(f"{file}, line {number}: {error}") from None
        yield row


def _table_row(cells: list[str], columns: dict[str, int], aws: bool) -> Row:
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        raise EntityError(
            f"{len(cells)} cells, but the header has {len(columns)} columns; "
            "leave no delimiter inside a cell (in CSV, put the cell in double quotes)."
        )
    given = {name: cell for name, place in columns.items() if place < len(cells) and (cell := cells[place].strip())}
    if "phrase" not in given:
        raise EntityError("the column 'phrase' is empty; every row needs one.")
    phrase, weight = given["phrase"], given.get("weight", "1")
    if not NUMBER(weight):
        raise EntityError(f"the weight {weight!r:.40} is no number; 1 is the default, -10..10 allowed.")
    if len(given) == ("weight" in given) + 1 and not aws:
        return Entity(phrase, weight=float(weight)), ()
    sounds_like, pronunciation = _several(given.get("sounds_like", "")), _several(given.get("pronunciation", ""))
    remarks: tuple[str, ...] = ()
    if ipa := given.get("ipa"):
        phones, lost = to_arpabet(ipa)
        if lost or not phones:
            remarks = (f"The IPA {ipa!r} is left out: no English phone for {' '.join(lost) or 'it'}.",)
        else:
            pronunciation.append(phones)
    if aws:
        phrase = phrase.replace("-", " ")
        sounds_like = [form for s in sounds_like for form in (s.replace("-", " "), s.replace("-", ""))]
    entity = Entity(
        phrase,
        display=given.get("display"),
        weight=float(weight),
        sounds_like=tuple(sounds_like),
        pronunciation=tuple(pronunciation),
    )
    return entity, remarks


def _several(cell: str) -> list[str]:
    return [part.strip() for part in re.split(r"[|;]", cell) if part.strip()] if cell else []
