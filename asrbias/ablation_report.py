"""An ablation as text (markdown, which terminals show as well), as one HTML page, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from asrbias import __version__
from asrbias.ablation import FALSE_HITS, GAIN, Ablation, Estimate, Row, Table
from asrbias.ablation_plot import plot
from asrbias.ablation_settings import ALL, NONE
from asrbias.decode_options import DecodeOptions
from asrbias.evidence_options import EvidenceOptions
from asrbias.joint_options import JointOptions
from asrbias.rescoring import RescoreOptions
from asrbias.techniques import TECHNIQUES
from asrbias.variants import VariantOptions

Cells = list[tuple[str, ...]]
NAMES = {"wer": "WER", "u_wer": "U-WER", "b_wer": "B-WER", "f1": "F1", "precision": "precision", "recall": "recall"}
NAMES |= {FALSE_HITS: "false hits / 1,000 words", GAIN: "F1 gain, %"}
STYLE = """body { font: 15px/1.45 system-ui, sans-serif; color: #1c1917; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin-top: 1.75rem } p, dd { color: #57534e }
.scroll { overflow-x: auto }
table { border-collapse: collapse } th { background: #f5f5f4 } td { font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #d6d3d1; white-space: nowrap }
th:first-child, td:first-child { text-align: left } tr.strong td { font-weight: 600 } dt { font-weight: 600 }
.note { border-left: 4px solid #ca8a04; background: #fefce8; padding: .35rem .75rem }"""


def columns(table: Table) -> list[tuple[str, str | None]]:
    """(rate, the setting it is taken against or None for itself); lists of distractors have nothing to find."""
    if table.condition.own:
        shown = ["wer", "u_wer", "b_wer", "f1", "precision", "recall", FALSE_HITS, GAIN]
        return [*((rate, None) for rate in shown), ("f1", NONE), ("f1", ALL), ("wer", NONE)]
    return [("wer", None), (FALSE_HITS, None), ("wer", NONE), (FALSE_HITS, NONE), ("wer", ALL)]


def cells(table: Table) -> Cells:
    """The header, then a row a setting."""
    chosen = columns(table)
    head = ("setting", *(NAMES[rate] + (f" against {other}" if other else "") for rate, other in chosen))
    return [head, *((row.setting.name, *(cell(row, rate, other) for rate, other in chosen)) for row in table.rows)]


def cell(row: Row, rate: str, other: str | None) -> str:
    """A rate of a row, or its difference to another setting, as a table shows it."""
    found = row.rates[rate] if other is None else row.against.get(other, {}).get(rate)
    if found is None or found.value is None:
        return "–"
    signed = other is not None or rate == GAIN
    digits = 2 if "wer" in rate or rate == FALSE_HITS else 0 if rate == GAIN else 1
    text = f"{found.value:+.{digits}f}" if signed else f"{found.value:.{digits}f}"
    if found.low is None or found.high is None or (other is None and rate not in ("f1", GAIN)):
        return text
    low, high = (f"{bound:+.{digits}f}" if signed else f"{bound:.{digits}f}" for bound in (found.low, found.high))
    return f"{text} ({low} to {high})"


def heading(ablation: Ablation) -> str:
    options = ablation.bootstrap
    unit = "utterances" if options.unit == "utterance" else f"whole values of `{options.unit}`"
    return (
        f"{ablation.utterances:,} utterances, {ablation.words:,} words, {ablation.entities:,} spoken entities · in "
        f"brackets {100 * options.confidence:g} % intervals, paired bootstrap, {options.resamples:,} draws of {unit}"
    )


def remarks(ablation: Ablation) -> Iterable[str]:
    """Where the figures are from, what the gains add up to, and steps that no column shows."""
    yield from (f"{name}: {value}" for name, value in ablation.about.items() if isinstance(value, (str, int, float)))
    for table in ablation.tables:
        if table.condition.own:
            yield from _sums(table)
            yield from _steps(table)


def _sums(table: Table) -> Iterable[str]:
    """Whether gains add up: of what is on in "all", each alone and together."""
    rows = {row.setting.name: row for row in table.rows}
    gained = rows[ALL].against[NONE]["f1"].value
    alone = [row for row in table.rows if row.setting.kind == "alone" and row.setting.base == NONE]
    parts = [row for row in alone if f"all but {row.setting.name.removesuffix(' alone')}" in rows]
    if len(parts) > 1 and gained is not None:
        total = sum(row.against[NONE]["f1"].value or 0.0 for row in parts)
        yield f"{table.condition}: F1 gained by what is in all: alone, added up {total:+.1f}; together {gained:+.1f}"


def _steps(table: Table) -> Iterable[str]:
    """Rows whose base is no column of the table."""
    for row in table.rows:
        base = row.setting.base
        if base not in (None, NONE, ALL):
            f1, wer = cell(row, "f1", base), cell(row, "wer", base)
            yield f"{table.condition}: {row.setting.name} against {base}: F1 {f1}, WER {wer}"


def markdown(ablation: Ablation) -> str:
    """The tables, padded so that they can be read as they are."""
    parts = [
        f"# Ablation\n\n{heading(ablation)}\n",
        *(f"\n- {one}" for one in (*remarks(ablation), *ablation.notes)),
        "\n",
    ]
    for table in ablation.tables:
        rows = cells(table)
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = [_line(row, widths) for row in rows]
        lines.insert(
            1, "|" + "|".join(f" {'-' * (w - (k > 0))}{':' if k else ''} " for k, w in enumerate(widths)) + "|"
        )
        parts.append(f"\n## {str(table.condition).capitalize()}\n\n" + "\n".join(lines) + "\n")
    return "".join(parts)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = (text.rjust(w) if k else text.ljust(w) for k, (text, w) in enumerate(zip(row, widths, strict=True)))
    return "| " + " | ".join(padded) + " |"


def page(ablation: Ablation) -> str:
    """One self-contained HTML page with the plot."""
    parts = [
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>Ablation</title>"
        f"<style>{STYLE}</style></head>"
    ]
    parts.append(f"<body><h1>Ablation</h1><p>{escape(heading(ablation))} · asrbias {escape(__version__)}</p>")
    parts.append("<ul>" + "".join(f"<li>{escape(remark)}</li>" for remark in remarks(ablation)) + "</ul>")
    parts += [f"<p class='note'>{escape(note)}</p>" for note in ablation.notes]
    parts.append(f"<div class='scroll'>{plot(ablation)}</div>")
    for table in ablation.tables:
        head, *rows = cells(table)
        parts.append(f"<h2>{escape(str(table.condition).capitalize())}</h2><div class='scroll'><table>")
        parts.append("<tr>" + "".join(f"<th>{escape(text)}</th>" for text in head) + "</tr>")
        for row in rows:
            strong = " class='strong'" if row[0] in (NONE, ALL) else ""
            parts.append(f"<tr{strong}>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>")
        parts.append("</table></div>")
    known = "".join(f"<dt>{escape(one.name)}</dt><dd>{escape(one.says)}</dd>" for one in TECHNIQUES.values())
    return "\n".join([*parts, f"<h2>Techniques</h2><dl>{known}</dl></body></html>\n"])


def to_dict(ablation: Ablation) -> dict[str, Any]:
    """For JSON; rates in percent, [low, high] beside each."""
    return {
        "about": dict(ablation.about),
        "utterances": ablation.utterances,
        "words": ablation.words,
        "entities": ablation.entities,
        "bootstrap": asdict(ablation.bootstrap),
        "notes": list(ablation.notes),
        "tables": [
            {
                "distractors": table.condition.count,
                "own": table.condition.own,
                "rows": [_row(row) for row in table.rows],
            }
            for table in ablation.tables
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    setting = row.setting
    return {
        "setting": setting.name,
        "kind": setting.kind,
        "base": setting.base,
        "language_model": setting.setup.lm,
        "options": changed_options(setting.setup.options),
        "rates": _estimates(row.rates),
        "against": {other: _estimates(rates) for other, rates in row.against.items()},
    }


def changed_options(options: JointOptions) -> dict[str, Any]:
    """As JointOptions.from_json reads them, without those that are as they are by default."""
    usual: dict[str, Any] = {"decode": DecodeOptions(), "rescore": RescoreOptions(), "lookup": EvidenceOptions()}
    usual |= {"verify": EvidenceOptions()}
    plain = {name: asdict(one) for name, one in {**usual, "variants": VariantOptions()}.items()}
    found: dict[str, Any] = {}
    for part, values in options.to_json().items():
        known = plain.get(part, {})
        if isinstance(values, dict):
            found[part] = {name: value for name, value in values.items() if known.get(name) != value}
        else:
            found[part] = values
    return found


def _estimates(rates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {
        name: {"value": one.value, "interval": None if one.low is None else [one.low, one.high]}
        for name, one in rates.items()
    }
