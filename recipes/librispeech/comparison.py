"""The table of published systems beside ours, on the same lists, by the same rules of scoring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corpus.table import markdown

METRICS = ("wer", "u_wer", "b_wer")
NOT_RUN = "not run yet"
Ours = Mapping[tuple[str, int], Mapping[str, float | None]]  # METRICS by part and size of the list, 0 for none


def comparison(published: Mapping[str, Any], ours: Ours, parts: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    """Markdown: WER / U-WER / B-WER in per cent of each system by part and size of the list, then the sources."""
    found = {(row["system"], row["test"], row["list"]): row for row in published["rows"]}
    systems = list(dict.fromkeys((row["system"], row["source"]) for row in published["rows"]))
    numbers = {name: number for number, name in enumerate(published["sources"], 1)}
    rows = []
    for size in (0, *sizes):
        for system, source in systems:
            cells = [_cell(found.get((system, part, size))) for part in parts]
            if any(cell != "-" for cell in cells):
                rows.append([str(size or "none"), f"{system} [{numbers[source]}]", *cells])
        rows.append([str(size or "none"), "**asrbias**", *(_cell(ours.get((part, size)), NOT_RUN) for part in parts)])
    notes = "".join(f"\n[{numbers[name]}] {text}" for name, text in published["sources"].items())
    return markdown(("list", "system", *(f"{part}: WER / U-WER / B-WER" for part in parts)), rows) + notes + "\n"


def _cell(row: Mapping[str, Any] | None, absent: str = "-") -> str:
    if row is None:
        return absent
    return " / ".join("-" if row[name] is None else f"{row[name]:.2f}" for name in METRICS)
