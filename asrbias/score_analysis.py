"""Everything that is said of a run: scores, intervals, groups, entities, and a second system beside it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asrbias.normalisation import Normaliser
from asrbias.score import Score, ScoreOptions, score_utterances
from asrbias.score_files import Run, same_utterances
from asrbias.score_groups import (
    EntityRow,
    Gap,
    Group,
    by_list_size,
    gaps,
    group_by,
    list_size,
    per_entity,
    read_seen,
    split_by_seen,
)
from asrbias.score_results import EntityCounts, Totals
from asrbias.significance import BootstrapOptions, Comparison, Interval, compare, intervals


@dataclass(frozen=True, kw_only=True)
class AnalysisOptions:
    """What to say beside the totals."""

    score: ScoreOptions = field(default_factory=ScoreOptions)
    by: tuple[str, ...] = ()  # manifest fields to group by
    seen: Path | None = None  # words seen in training, a word a line
    bootstrap: BootstrapOptions | None = None  # None: no intervals


@dataclass(frozen=True, kw_only=True)
class System:
    """One system's scores and their parts."""

    name: str
    score: Score
    intervals: Mapping[str, Interval]
    groups: tuple[Group, ...]
    gaps: tuple[Gap, ...]
    list_sizes: tuple[Group, ...]
    entities: tuple[EntityRow, ...]
    seen: tuple[EntityCounts, EntityCounts] | None  # phrases of seen words, phrases with a word never seen


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One of several runs, at its place on the plots."""

    name: str
    list_size: float  # phrases, median over the utterances
    bonus: float | None  # the decoder's, as the lines or the caller say
    totals: Totals


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What the table, the JSON and the report show."""

    options: AnalysisOptions
    main: System
    baseline: System | None = None
    comparisons: tuple[Comparison, ...] = ()
    settings: tuple[Setting, ...] = ()
    notes: tuple[str, ...] = ()


def analyse(name: str, run: Run, options: AnalysisOptions, baseline: tuple[str, Run] | None = None) -> Analysis:
    """Score a run and, if given, a second one on the same references and lists."""
    utterances, notes = run.utterances, [*run.notes]
    second: Score | None = None
    if baseline is not None:
        utterances, others = same_utterances(utterances, baseline[1], options.score.partial)
        notes += [note for note in baseline[1].notes if note not in notes]
        if len(utterances) < len(run.utterances):
            notes.append(f"{len(utterances)} of {len(run.utterances)} utterances are in both systems' files.")
        second = score_utterances(others, options.score)
    first = score_utterances(utterances, options.score)
    notes += first.notes
    comparisons: list[Comparison] = []
    ours: Mapping[str, Interval] = {}
    theirs: Mapping[str, Interval] = {}
    if options.bootstrap is not None:
        if second is None:
            ours = intervals(first.utterances, options.bootstrap)
        else:
            ours, theirs, comparisons = compare(first.utterances, second.utterances, options.bootstrap)
    return Analysis(
        options=options,
        main=_system(name, first, ours, options),
        baseline=None if second is None or baseline is None else _system(baseline[0], second, theirs, options),
        comparisons=tuple(comparisons),
        notes=tuple(notes),
    )


def setting(name: str, score: Score, bonus: float | None = None) -> Setting:
    """A run's place on the plots; the bonus is the lines' field `bonus`, unless it is given."""
    if bonus is None:
        values = {s.utterance.fields.get("bonus") for s in score.utterances}
        value = next(iter(values)) if len(values) == 1 else None
        bonus = float(value) if isinstance(value, (int, float)) else None
    return Setting(
        name=name,
        list_size=statistics.median(map(list_size, score.utterances)),
        bonus=bonus,
        totals=score.totals,
    )


def _system(name: str, score: Score, found: Mapping[str, Interval], options: AnalysisOptions) -> System:
    scores = score.utterances
    groups = [group for field in options.by for group in group_by(scores, field)]
    seen = None if options.seen is None else read_seen(options.seen, Normaliser(options.score.normalisation))
    return System(
        name=name,
        score=score,
        intervals=found,
        groups=tuple(groups),
        gaps=tuple(gaps(groups)),
        list_sizes=tuple(by_list_size(scores)),
        entities=tuple(per_entity(scores, seen)),
        seen=None if seen is None else split_by_seen(scores, seen),
    )


def always_missed(rows: Sequence[EntityRow]) -> list[EntityRow]:
    """Entities that were spoken and never found, the most often spoken first."""
    return [row for row in rows if row.counts.misses and not row.counts.hits]
