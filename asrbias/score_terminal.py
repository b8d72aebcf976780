"""The analysis printed for people, with rich."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from asrbias.score_analysis import Analysis
from asrbias.score_tables import Cell, Table, heading, tables

LONG = 12  # rows printed of a table of entities or groups; the report has them all


def show(analysis: Analysis, console: Console) -> None:
    """Print the heading, the tables that are not empty, and the notes."""
    console.print(escape(heading(analysis)), highlight=False)
    for table in tables(analysis):
        if table.rows and not table.page_only:
            console.print(_rich(table))
            for caption in table.captions:
                console.print(f"  {escape(caption)}", highlight=False)
    for note in analysis.notes:
        console.print(f"[yellow]note:[/yellow] {escape(note)}", highlight=False)


def _rich(table: Table) -> RichTable:
    rich = RichTable(
        title=escape(table.title), title_justify="left", box=box.SIMPLE_HEAD, title_style="bold",
        collapse_padding=True, pad_edge=False,
    )  # fmt: skip
    for k in (used := _used(table)):
        text = all(isinstance(row[k], str) or row[k] is None for row in table.rows)
        # A number, and a word above it, must never be cut; a name may be folded.
        words = [*table.columns[k].split(), *(_cell(row[k]) for row in table.rows[:LONG])]
        width = None if text else max(map(len, words))
        rich.add_column(escape(table.columns[k]), justify="left" if text else "right", overflow="fold", min_width=width)
    for row in table.rows[:LONG]:
        rich.add_row(*(escape(_cell(row[k])) for k in used))
    if len(table.rows) > LONG:
        rich.add_row(f"and {len(table.rows) - LONG:,} more", *[""] * (len(used) - 1))
    return rich


def _used(table: Table) -> list[int]:
    """The columns that say something: not all empty, and not one system's name in every row."""
    return [
        k
        for k, name in enumerate(table.columns)
        if any(row[k] not in (None, "") for row in table.rows)
        and not (name in ("system", "entities") and len({row[k] for row in table.rows}) == 1)
    ]


def _cell(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
