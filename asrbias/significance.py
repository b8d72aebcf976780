"""Uncertainty of error rates and F1 by the bootstrap over utterances (Bisani & Ney, ICASSP 2004).

Each resample draws as many utterances as there are, with replacement; for two systems the same ones (paired).
Utterances of one speaker are alike, so the unit may be a manifest field, such as the speaker: then whole speakers are
drawn. Seeded: the same input gives the same intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias.score_results import ScoreInputError, UtteranceScore

Array = npt.NDArray[np.float64]

MOST = 10_000_000  # resamples
CHUNK = 2_000_000  # draws made at a time, which bounds the memory


@dataclass(frozen=True, kw_only=True)
class BootstrapOptions:
    resamples: int = 10_000
    seed: int = 0
    confidence: float = 0.95  # probability mass inside an interval
    unit: str = "utterance"  # or a manifest field, such as speaker

    def __post_init__(self) -> None:
        if self.resamples < 100:
            raise ValueError(f"{self.resamples} resamples give no interval; take at least 100, usually 10,000.")
        if self.resamples > MOST:
            raise ValueError(f"{self.resamples} resamples are too many; take at most {MOST:,}, usually 10,000.")
        if self.seed < 0:
            raise ValueError(f"The seed is {self.seed}; it must be 0 or more.")
        if not 0 < self.confidence < 1:
            raise ValueError(f"A confidence of {self.confidence} is not between 0 and 1.")


@dataclass(frozen=True)
class Interval:
    """A percentile interval, in percent (points, for a difference)."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of two systems; differences are first minus second."""

    metric: str
    first: float  # percent
    second: float  # percent
    difference: float  # points
    interval: Interval  # of the difference
    first_better: float  # share of resamples in which the first is better, ties counting half


# Columns of the counts of one utterance, and the metrics from their sums.
COLUMNS = 9
METRICS: dict[str, tuple[Callable[[Array], Array], bool]] = {  # name: percent from [R, 9] sums, whether less is better
    "wer": (lambda s: s[:, 0] / s[:, 1], True),
    "u_wer": (lambda s: s[:, 2] / s[:, 3], True),
    "b_wer": (lambda s: s[:, 4] / s[:, 5], True),
    "precision": (lambda s: s[:, 6] / (s[:, 6] + s[:, 8]), False),
    "recall": (lambda s: s[:, 6] / (s[:, 6] + s[:, 7]), False),
    "f1": (lambda s: np.where(s[:, 6] + s[:, 7] > 0, 2 * s[:, 6] / (2 * s[:, 6] + s[:, 7] + s[:, 8]), np.nan), False),
}


def intervals(scores: Sequence[UtteranceScore], options: BootstrapOptions) -> dict[str, Interval]:
    """The interval of each metric of one system; metrics that are undefined are left out."""
    return _intervals(_resample(_units(scores, options.unit), options), options)


def compare(
    first: Sequence[UtteranceScore], second: Sequence[UtteranceScore], options: BootstrapOptions
) -> tuple[dict[str, Interval], dict[str, Interval], list[Comparison]]:
    """The intervals of both systems, and their paired comparison; the same utterances in the same order.

    Raises:
        ScoreInputError: the utterances differ, or one has no such unit.
    """
    ours, theirs = resample_together([first, second], options)
    whole = [total(scores) for scores in (first, second)]
    comparisons = []
    for name, (_, less_is_better) in METRICS.items():
        a, b = _metric(name, whole[0])[0], _metric(name, whole[1])[0]
        if np.isnan(a) or np.isnan(b):
            continue
        differences = _metric(name, ours) - _metric(name, theirs)
        differences = differences[~np.isnan(differences)]
        wins = differences < 0 if less_is_better else differences > 0
        comparisons.append(
            Comparison(
                metric=name,
                first=float(a),
                second=float(b),
                difference=float(a - b),
                interval=_interval(differences, options),
                first_better=float(np.mean(wins) + np.mean(differences == 0) / 2),
            )
        )
    return _intervals(ours, options), _intervals(theirs, options), comparisons


def resample_together(systems: Sequence[Sequence[UtteranceScore]], options: BootstrapOptions) -> list[Array]:
    """[R, 9] counts of each system, summed over the same R resamples; METRICS and differences can be taken of them.

    Raises:
        ScoreInputError: the systems were not scored on the same utterances in the same order, or one has no such unit.
    """
    ids = [[s.utterance.id for s in scores] for scores in systems]
    if any(one != ids[0] for one in ids):
        raise ScoreInputError("Two systems can be compared only on the same utterances in the same order.")
    counts = np.concatenate([_counts(scores) for scores in systems], axis=1)
    sums = _resample(_grouped(counts, systems[0], options.unit), options)
    return [sums[:, start : start + COLUMNS] for start in range(0, sums.shape[1], COLUMNS)]


def total(scores: Sequence[UtteranceScore]) -> Array:
    """[1, 9] counts of all utterances, as METRICS take them."""
    return np.asarray(_counts(scores).sum(0, keepdims=True), np.float64)


def _counts(scores: Sequence[UtteranceScore]) -> Array:
    """[utterances, 9] counts."""
    rows = [
        (
            *(s.wer.errors, s.wer.ref_words, s.u_wer.errors, s.u_wer.ref_words, s.b_wer.errors, s.b_wer.ref_words),
            *(len(s.found), len(s.missed), len(s.false_hits)),
        )
        for s in scores
    ]
    return np.array(rows, np.float64).reshape(-1, COLUMNS)


def _units(scores: Sequence[UtteranceScore], unit: str) -> Array:
    return _grouped(_counts(scores), scores, unit)


def _grouped(counts: Array, scores: Sequence[UtteranceScore], unit: str) -> Array:
    """[units, columns]: counts added up by a manifest field."""
    if unit == "utterance":
        return counts
    rows: dict[Any, int] = {}
    for score in scores:
        value = score.utterance.fields.get(unit)
        if not value:
            raise ScoreInputError(
                f"{score.utterance.id!r} has no `{unit}`, so it cannot be resampled by it; resample by utterance."
            )
        rows.setdefault(value, len(rows))
    sums = np.zeros((len(rows), counts.shape[1]))
    np.add.at(sums, [rows[s.utterance.fields[unit]] for s in scores], counts)
    return sums


def _resample(counts: Array, options: BootstrapOptions) -> Array:
    """[resamples, columns]: sums over the units drawn."""
    rng = np.random.default_rng(options.seed)
    units = len(counts)
    sums = np.empty((options.resamples, counts.shape[1]))
    step = max(1, CHUNK // units)
    for start in range(0, options.resamples, step):
        rows = min(step, options.resamples - start)
        drawn = rng.integers(0, units, (rows, units), dtype=np.int32)
        drawn += np.arange(rows, dtype=np.int32)[:, None] * np.int32(units)
        times = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units)
        sums[start : start + rows] = times.astype(np.float64) @ counts
    return sums


def _metric(name: str, sums: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100.0 * METRICS[name][0](sums))


def _intervals(sums: Array, options: BootstrapOptions) -> dict[str, Interval]:
    values = {name: _metric(name, sums) for name in METRICS}
    kept = {name: v[np.isfinite(v)] for name, v in values.items()}
    return {name: _interval(v, options) for name, v in kept.items() if len(v)}


def _interval(values: Array, options: BootstrapOptions) -> Interval:
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))
