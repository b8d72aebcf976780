"""Ablation: what each technique of decoder biasing does alone, together with the others, and when it is taken away.

A row of the result is a setting (ablation_settings.py) with one kind of list (ablation_runs.Condition); rates are in
percent, differences in points, both with 95 % intervals by the paired bootstrap (significance.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asrbias.ablation_runs import Condition, Corpus, Runs
from asrbias.ablation_settings import ALL, NONE, Setting
from asrbias.score import Score, ScoreOptions, score_utterances
from asrbias.score_results import Utterance
from asrbias.significance import METRICS, Array, BootstrapOptions, resample_together, total

FALSE_HITS, GAIN = "false_hits_per_1000_words", "relative_f1_gain"
RATES: dict[str, Callable[[Array], Array]] = {
    **{name: read for name, (read, _) in METRICS.items()},
    FALSE_HITS: lambda sums: 10.0 * sums[:, 8] / sums[:, 1],  # percent are made of it below
}


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A setting with one kind of list."""

    setting: Setting
    rates: Mapping[str, Estimate]  # by the names of RATES, and GAIN against no technique
    against: Mapping[str, Mapping[str, Estimate]]  # by another setting's name: this row's rates minus that one's


@dataclass(frozen=True, kw_only=True)
class Table:
    """All settings with one kind of list."""

    condition: Condition
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """The result."""

    utterances: int
    words: int
    entities: int  # spoken
    tables: tuple[Table, ...]
    bootstrap: BootstrapOptions
    notes: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)  # where it comes from, for the reports


def ablate(
    runs: Runs,
    settings: Sequence[Setting],
    conditions: Sequence[Condition],
    *,
    score: ScoreOptions | None = None,
    bootstrap: BootstrapOptions | None = None,
    progress: Callable[[Setting, Condition], None] = lambda setting, condition: None,
    notes: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
) -> Ablation:
    """Decode what is not decoded yet, score all of it, compare.

    Raises what decoding and scoring raise; finished settings stay in the folder of `runs`.
    """
    chosen = bootstrap or BootstrapOptions()
    tables: list[Table] = []
    scored: Score | None = None
    for condition in conditions:
        scores = []
        for setting in settings:
            progress(setting, condition)
            scored = judge(runs.corpus, runs.texts(setting, condition), condition, score)
            scores.append(scored)
        tables.append(Table(condition=condition, rows=make_rows(settings, scores, chosen)))
    assert scored is not None
    return Ablation(
        utterances=len(scored.utterances),
        words=scored.totals.wer.ref_words,
        entities=scored.totals.entities.spoken,
        tables=tuple(tables),
        bootstrap=chosen,
        notes=tuple(dict.fromkeys([*notes, *(note for note in scored.notes if "entities" in note)])),
        about=about or {},
    )


def judge(corpus: Corpus, texts: Sequence[str], condition: Condition, options: ScoreOptions | None = None) -> Score:
    """The scores of one setting: a listed phrase, or an own entity, is a false hit wherever it is not said."""
    listed = corpus.distractors[: condition.count]
    return score_utterances(
        [
            Utterance(
                id=line.id,
                reference=line.fields["text"],
                hypothesis=text,
                entities=corpus.own(line),
                list=listed,
                fields=line.fields,
            )
            for line, text in zip(corpus.lines, texts, strict=True)
        ],
        options,
    )


def make_rows(settings: Sequence[Setting], scores: Sequence[Score], options: BootstrapOptions) -> tuple[Row, ...]:
    """Rates of all settings over the same resamples, and the differences to none, to all and to each row's base."""
    names = [setting.name for setting in settings]
    drawn = dict(zip(names, resample_together([score.utterances for score in scores], options), strict=True))
    whole = dict(zip(names, (total(score.utterances) for score in scores), strict=True))
    rows = []
    for setting in settings:
        name = setting.name
        rates = {rate: _rate(rate, whole[name], drawn[name], options) for rate in RATES}
        rates[GAIN] = _gain(whole[name], whole[NONE], drawn[name], drawn[NONE], options)
        others = dict.fromkeys(other for other in (NONE, ALL, setting.base) if other is not None and other != name)
        against = {
            other: {
                rate: _estimate(
                    _values(rate, whole[name]) - _values(rate, whole[other]),
                    _values(rate, drawn[name]) - _values(rate, drawn[other]),
                    options,
                )
                for rate in RATES
            }
            for other in others
        }
        rows.append(Row(setting=setting, rates=rates, against=against))
    return tuple(rows)


def _values(rate: str, sums: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100.0 * RATES[rate](sums), np.float64)


def _rate(rate: str, whole: Array, drawn: Array, options: BootstrapOptions) -> Estimate:
    return _estimate(_values(rate, whole), _values(rate, drawn), options)


def _gain(whole: Array, none: Array, drawn: Array, drawn_none: Array, options: BootstrapOptions) -> Estimate:
    """How much larger F1 is than without any technique, in percent of that."""

    def relative(ours: Array, base: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(100.0 * (_values("f1", ours) / _values("f1", base) - 1.0), np.float64)

    return _estimate(relative(whole, none), relative(drawn, drawn_none), options)


def _estimate(whole: Array, drawn: Array, options: BootstrapOptions) -> Estimate:
    """[1] of all utterances and [R] of the resamples -> the value and its percentile interval."""
    if not np.isfinite(whole[0]):
        return Estimate(None)
    kept = drawn[np.isfinite(drawn)]
    if not len(kept):
        return Estimate(float(whole[0]))
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(kept, [tail, 1 - tail])
    return Estimate(float(whole[0]), float(low), float(high))
