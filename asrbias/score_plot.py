"""WER and F1 over list size and over bonus, as one SVG drawing written by hand: no plotting library is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from asrbias.score_analysis import Setting
from asrbias.score_results import ScoreInputError

WIDTH, HEIGHT, MARGIN = 420, 260, 46  # of one panel, in pixels
CURVES: tuple[tuple[str, str, Callable[[Setting], float | None]], ...] = (
    ("WER", "#c2410c", lambda s: s.totals.wer.error_rate),
    ("B-WER", "#7c3aed", lambda s: s.totals.b_wer.error_rate),
    ("F1", "#0f766e", lambda s: s.totals.entities.f1),
)


def plots(settings: Sequence[Setting]) -> str:
    """An SVG drawing with a panel for each of list size and bonus in which the runs differ.

    Raises:
        ScoreInputError: the runs differ in neither, so there is nothing to plot over.
    """
    panels = []
    if len({s.list_size for s in settings}) > 1:
        panels.append(("list size (phrases)", [(s.list_size, s) for s in settings], True))
    bonuses = [(s.bonus, s) for s in settings if s.bonus is not None]
    if len({bonus for bonus, _ in bonuses}) > 1:
        panels.append(("bonus", bonuses, False))
    if not panels:
        raise ScoreInputError(
            "There is nothing to plot over: give several runs that differ in list size (`list`, `list_size`) or in "
            "bonus (a field `bonus` in the lines, or --bonus)."
        )
    drawn = [_panel(k * (WIDTH + 20), name, points, log) for k, (name, points, log) in enumerate(panels)]
    width = len(panels) * (WIDTH + 20)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="WER and F1 of the runs">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(drawn)}</svg>\n'
    )


def _panel(left: int, name: str, points: Sequence[tuple[float, Setting]], log: bool) -> str:
    ordered = sorted(points, key=lambda p: p[0])
    xs = [x for x, _ in ordered]
    place = _scale(xs, log)
    rates = [rate for _, s in ordered for _, _, read in CURVES if (rate := read(s)) is not None]
    top = max(100.0, math.ceil(max(rates, default=0) / 20) * 20)
    bottom, upper = HEIGHT - MARGIN, 24

    def height(rate: float) -> float:
        return bottom - (bottom - upper) * rate / top

    parts = [f'<g transform="translate({left} 0)">']
    for k in range(6):
        y = height(top * k / 5)
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - 60}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#4b5563">{top * k / 5:g}</text>')
    for x in dict.fromkeys(xs):
        parts.append(f'<text x="{place(x):.1f}" y="{bottom + 16}" text-anchor="middle" fill="#4b5563">{x:,.6g}</text>')
    parts.append(f'<text x="{(MARGIN + WIDTH - 60) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(name)}</text>')
    parts.append(f'<text x="{MARGIN - 30}" y="14">percent</text>')
    ends: list[float] = []
    for label, colour, read in CURVES:
        curve = [(place(x), height(rate), s) for x, s in ordered if (rate := read(s)) is not None]
        parts += _curve(curve, label, colour, ends)
    return "".join([*parts, "</g>"])


def _curve(curve: Sequence[tuple[float, float, Setting]], label: str, colour: str, ends: list[float]) -> list[str]:
    """A line with a dot a run; its name at the right, moved off the names that are there already."""
    if not curve:
        return []
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in curve)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    for x, y, s in curve:
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"><title>{escape(s.name)}</title></circle>'
        )
    y = curve[-1][1]
    while any(abs(y - other) < 13 for other in ends):
        y -= 13
    ends.append(y)
    return [*parts, f'<text x="{WIDTH - 52}" y="{y + 4:.1f}" fill="{colour}" font-weight="600">{label}</text>']


def _scale(xs: Sequence[float], log: bool) -> Callable[[float], float]:
    """From a value to pixels; list sizes by their logarithm, with 0 a step left of the smallest."""

    def value(x: float) -> float:
        return math.log10(1 + x) if log else x

    low, high = min(map(value, xs)), max(map(value, xs))
    right = WIDTH - 60 - 12
    return lambda x: MARGIN + 12 + (right - MARGIN - 12) * (value(x) - low) / ((high - low) or 1)
