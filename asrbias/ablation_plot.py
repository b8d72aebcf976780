"""F1 and WER of every setting with their intervals, drawn as SVG by hand: no plotting library is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from asrbias.ablation import Ablation, Estimate, Table
from asrbias.ablation_settings import ALL, NONE

LEFT, PANEL, GAP, TOP, STEP, BOTTOM = 250, 330, 60, 46, 12, 26  # pixels
COLOURS = ("#0f766e", "#c2410c", "#7c3aed", "#2563eb", "#a16207", "#be185d")
PANELS = (("f1", "entity F1, percent"), ("wer", "WER, percent"))


def plot(ablation: Ablation) -> str:
    """A row a setting, in it a dot with its interval for each kind of list; the dashed lines are those of "none"."""
    tables = ablation.tables
    names = [row.setting.name for row in tables[0].rows]
    row_height = STEP * len(tables) + 8
    height = TOP + row_height * len(names) + BOTTOM + 18 * len(tables)
    width = LEFT + len(PANELS) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="F1 and WER of every setting">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
    ]
    for k, name in enumerate(names):
        top = TOP + k * row_height
        if k % 2 == 0:
            parts.append(f'<rect x="0" y="{top}" width="{width}" height="{row_height}" fill="#f5f5f4"/>')
        weight = ' font-weight="600"' if name in (NONE, ALL) else ""
        parts.append(
            f'<text x="{LEFT - 10}" y="{top + row_height / 2 + 4:.1f}" text-anchor="end"{weight}>{escape(name)}</text>'
        )
    for k, (rate, title) in enumerate(PANELS):
        shown = [n for n, table in enumerate(tables) if table.condition.own or rate != "f1"]
        if shown:
            parts += _panel(LEFT + k * (PANEL + GAP), rate, title, tables, shown, row_height)
    bottom = TOP + row_height * len(names) + BOTTOM
    for k, table in enumerate(tables):
        y = bottom + 18 * k
        parts.append(f'<circle cx="{LEFT}" cy="{y}" r="4" fill="{COLOURS[k % len(COLOURS)]}"/>')
        parts.append(f'<text x="{LEFT + 12}" y="{y + 4}">{escape(str(table.condition))}</text>')
    return "".join(parts) + "</svg>\n"


def _panel(
    left: int, rate: str, title: str, tables: Sequence[Table], shown: Sequence[int], row_height: int
) -> list[str]:
    rates = [row.rates[rate] for n in shown for row in tables[n].rows]
    ends = [end for one in rates for end in (one.value, one.low, one.high) if end is not None]
    low, high = 10 * math.floor(min(ends, default=0) / 10), 10 * math.ceil((max(ends, default=0) + 0.01) / 10)
    bottom = TOP + row_height * len(tables[0].rows)

    def place(value: float) -> float:
        return left + PANEL * (value - low) / (high - low)

    parts = [f'<text x="{left}" y="{TOP - 24}" font-weight="600">{escape(title)}</text>']
    for value in range(low, high + 1, 10 if high - low <= 60 else 20):
        x = place(value)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#d6d3d1"/>')
        parts.append(f'<text x="{x:.1f}" y="{TOP - 7}" text-anchor="middle" fill="#57534e">{value}</text>')
    for k in shown:
        table = tables[k]
        colour = COLOURS[k % len(COLOURS)]
        none = next(row for row in table.rows if row.setting.name == NONE).rates[rate].value
        if none is not None:
            x = place(none)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="{colour}" stroke-dasharray="2 4"/>'
            )
        for n, row in enumerate(table.rows):
            y = TOP + n * row_height + 4 + STEP * (k + 0.5)
            parts += _dot(row.rates[rate], place, y, colour, f"{row.setting.name}, {table.condition}")
    return parts


def _dot(one: Estimate, place: Callable[[float], float], y: float, colour: str, name: str) -> list[str]:
    if one.value is None:
        return []
    parts, words = [], f"{name}: {one.value:.1f}"
    if one.low is not None and one.high is not None:
        words += f" ({one.low:.1f} to {one.high:.1f})"
        ends = f'x1="{place(one.low):.1f}" x2="{place(one.high):.1f}"'
        parts.append(f'<line {ends} y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>')
    title = f"<title>{escape(words)}</title>"
    return [*parts, f'<circle cx="{place(one.value):.1f}" cy="{y:.1f}" r="4" fill="{colour}">{title}</circle>']
