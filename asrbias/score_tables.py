"""The analysis as tables, once for the terminal and the HTML report alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from asrbias.score_analysis import Analysis, System, always_missed
from asrbias.score_groups import EntityRow, Group
from asrbias.score_results import EntityCounts, Totals, WordErrors
from asrbias.significance import Interval

Cell = str | int | float | None  # None prints as a dash
NAMES = {"wer": "WER", "u_wer": "U-WER", "b_wer": "B-WER", "precision": "precision", "recall": "recall", "f1": "F1"}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells; a text column first."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    captions: tuple[str, ...] = ()
    page_only: bool = False  # too long for a terminal


def heading(analysis: Analysis) -> str:
    """What was scored and how, in a line."""
    totals, options = analysis.main.score.totals, analysis.options
    hours = "" if totals.hours is None else f", {totals.hours:.2f} h"
    return (
        f"{totals.utterances:,} utterances{hours} · normalisation {options.score.normalisation} · WER by the "
        f"{options.score.wer_alignment} alignment, U-WER, B-WER and entities by that of is21"
    )


def tables(analysis: Analysis) -> Iterator[Table]:
    """All tables that have something to say."""
    systems = [analysis.main] if analysis.baseline is None else [analysis.main, analysis.baseline]
    yield _errors_table(analysis, systems)
    yield _entities_table(systems)
    if analysis.comparisons:
        yield _comparison_table(analysis)
    if analysis.settings:
        yield _settings_table(analysis)
    if len(analysis.main.list_sizes) > 1:
        yield from (_groups_table(f"By list size{_of(s, systems)}", s.list_sizes, ()) for s in systems)
    for field in analysis.options.by:
        for system in systems:
            groups = [g for g in system.groups if g.field == field]
            yield _groups_table(f"By {field}{_of(system, systems)}", groups, tuple(_gap_lines(system, field)))
    for system in systems:
        yield _entity_table(f"Entities always missed{_of(system, systems)}", always_missed(system.entities))
    for system in systems:
        falsely = sorted((r for r in system.entities if r.counts.false_hits), key=lambda r: -r.counts.false_hits)
        yield _entity_table(f"Phrases written falsely{_of(system, systems)}", falsely)
    for system in systems:
        yield replace(_entity_table(f"Every entity{_of(system, systems)}", system.entities), page_only=True)


def interval_text(interval: Interval | None) -> str | None:
    return None if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"


def _of(system: System, systems: Sequence[System]) -> str:
    return f", {system.name}" if len(systems) > 1 else ""


def _errors_table(analysis: Analysis, systems: Sequence[System]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for system in systems:
        totals = system.score.totals
        for key, errors in (("wer", totals.wer), ("u_wer", totals.u_wer), ("b_wer", totals.b_wer)):
            rows.append((system.name, NAMES[key], *_rate(errors, system.intervals.get(key))))
        rows.append((system.name, "CER", totals.cer.error_rate, None, totals.cer.ref_chars, None, None, None))
    boot = analysis.options.bootstrap
    columns = ("system", "metric", "%", _interval_name(analysis), "words", "substituted", "inserted", "deleted")
    caption = () if boot is None else (f"Bootstrap: {boot.resamples:,} resamples by {boot.unit}, seed {boot.seed}.",)
    return Table(title="Errors", columns=columns, rows=tuple(rows), captions=caption)


def _interval_name(analysis: Analysis) -> str:
    boot = analysis.options.bootstrap
    return "interval" if boot is None else f"{100 * boot.confidence:g} % interval"


def _rate(errors: WordErrors, interval: Interval | None) -> tuple[Cell, ...]:
    return (
        *(errors.error_rate, interval_text(interval), errors.ref_words),
        *(errors.subs, errors.ins, errors.dels),
    )


def _entities_table(systems: Sequence[System]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for system in systems:
        totals = system.score.totals
        each = (totals.false_hits_per_hour, totals.false_hits_per_1000_words)
        rows.append((system.name, "all", *_counts(totals.entities), *each))
        if system.seen is not None:
            rows.append((system.name, "seen words", *_counts(system.seen[0]), None, None))
            rows.append((system.name, "never seen", *_counts(system.seen[1]), None, None))
    columns = ("system", "entities", "F1 %", "precision %", "recall %", "found", "missed", "false hits", "per hour")
    return Table(title="Entities by phrase", columns=(*columns, "per 1,000 words"), rows=tuple(rows))


def _counts(counts: EntityCounts) -> tuple[Cell, ...]:
    return (counts.f1, counts.precision, counts.recall, counts.hits, counts.misses, counts.false_hits)


def _comparison_table(analysis: Analysis) -> Table:
    first = analysis.main.name
    second = "" if analysis.baseline is None else analysis.baseline.name
    rows = tuple(
        (NAMES[c.metric], c.first, c.second, c.difference, interval_text(c.interval), c.first_better)
        for c in analysis.comparisons
    )
    columns = ("metric", "first %", "second %", "difference", _interval_name(analysis), "P(first better)")
    return Table(title=f"First: {first}, second: {second}, paired", columns=columns, rows=rows)


def _settings_table(analysis: Analysis) -> Table:
    rows = tuple(
        (s.name, round(s.list_size), s.bonus, *_short(s.totals), s.totals.entities.false_hits)
        for s in analysis.settings
    )
    columns = ("run", "list size", "bonus", "WER %", "U-WER %", "B-WER %", "F1 %", "false hits")
    return Table(title="Runs", columns=columns, rows=rows)


def _short(totals: Totals) -> tuple[Cell, ...]:
    return (totals.wer.error_rate, totals.u_wer.error_rate, totals.b_wer.error_rate, totals.entities.f1)


def _groups_table(title: str, groups: Sequence[Group], captions: tuple[str, ...]) -> Table:
    rows = tuple(
        (g.value, g.totals.utterances, g.totals.wer.ref_words, *_short(g.totals), *_few(g.totals)) for g in groups
    )
    columns = ("group", "utterances", "words", "WER %", "U-WER %", "B-WER %", "F1 %", "entities", "false hits")
    return Table(title=title, columns=columns, rows=rows, captions=captions)


def _few(totals: Totals) -> tuple[Cell, ...]:
    return (totals.entities.spoken, totals.entities.false_hits)


def _gap_lines(system: System, field: str) -> Iterator[str]:
    for gap in system.gaps:
        if gap.field == field:
            yield (
                f"Largest gap in {NAMES[gap.metric]}: {gap.points:.2f} points, {gap.worst} {gap.worst_rate:.2f} %, "
                f"{gap.best} {gap.best_rate:.2f} %."
            )


def _entity_table(title: str, entities: Sequence[EntityRow]) -> Table:
    rows = tuple(
        (
            *(row.phrase, row.counts.spoken, row.counts.hits, row.counts.misses, row.counts.false_hits),
            None if row.seen is None else "yes" if row.seen else "no",
        )
        for row in entities
    )
    columns = ("entity", "spoken", "found", "missed", "false hits", "seen in training")
    return Table(title=f"{title} ({len(rows):,})", columns=columns, rows=rows)
