"""The analysis as plain data for programs. Rates are percent, in full precision; null where undefined."""

from __future__ import annotations

from typing import Any

from asrbias.score_analysis import Analysis, System
from asrbias.score_groups import EntityRow, Gap, Group
from asrbias.score_results import EntityCounts, Totals, UtteranceScore, WordErrors
from asrbias.significance import Comparison


def to_dict(analysis: Analysis) -> dict[str, Any]:
    """See docs/scoring.md for the fields."""
    options = analysis.options
    data: dict[str, Any] = {
        "normalisation": options.score.normalisation,
        "wer_alignment": options.score.wer_alignment,
        "notes": list(analysis.notes),
        **_system(analysis.main),
    }
    if options.bootstrap is not None:
        boot = options.bootstrap
        data["bootstrap"] = {
            "resamples": boot.resamples,
            "seed": boot.seed,
            "confidence": boot.confidence,
            "unit": boot.unit,
        }
    if analysis.baseline is not None:
        data["baseline"] = _system(analysis.baseline)
        data["comparison"] = {c.metric: _comparison(c) for c in analysis.comparisons}
    if analysis.settings:
        data["runs"] = [
            {"name": s.name, "list_size": s.list_size, "bonus": s.bonus, **_totals(s.totals)} for s in analysis.settings
        ]
    return data


def utterance_dict(score: UtteranceScore) -> dict[str, Any]:
    """One utterance with its alignment, for --utterances."""
    return {
        "id": score.utterance.id,
        "reference": " ".join(score.reference),
        "hypothesis": " ".join(score.hypothesis),
        "alignment": [[i, j] for i, j in score.alignment],
        "wer": _errors(score.wer),
        "u_wer": _errors(score.u_wer),
        "b_wer": _errors(score.b_wer),
        "found": [[o.phrase, o.start, o.end] for o in score.found],
        "missed": [[o.phrase, o.start, o.end] for o in score.missed],
        "false_hits": [[o.phrase, o.start, o.end] for o in score.false_hits],
    }


def _system(system: System) -> dict[str, Any]:
    data = {
        "name": system.name,
        **_totals(system.score.totals),
        "intervals": {name: [i.low, i.high] for name, i in system.intervals.items()},
        "list_sizes": [_group(group) for group in system.list_sizes],
        "groups": [_group(group) for group in system.groups],
        "gaps": [_gap(gap) for gap in system.gaps],
        "per_entity": [_entity(row) for row in system.entities],
    }
    if system.seen is not None:
        data["entities_seen"], data["entities_unseen"] = map(_counts, system.seen)
    return data


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "utterances": totals.utterances,
        "hours": totals.hours,
        "wer": _errors(totals.wer),
        "u_wer": _errors(totals.u_wer),
        "b_wer": _errors(totals.b_wer),
        "cer": {
            "error_rate": totals.cer.error_rate,
            "ref_chars": totals.cer.ref_chars,
            "errors": totals.cer.errors,
        },
        "entities": {
            **_counts(totals.entities),
            "false_hits_per_hour": totals.false_hits_per_hour,
            "false_hits_per_1000_words": totals.false_hits_per_1000_words,
        },
    }


def _errors(errors: WordErrors) -> dict[str, Any]:
    return {
        "error_rate": errors.error_rate,
        "ref_words": errors.ref_words,
        "subs": errors.subs,
        "ins": errors.ins,
        "dels": errors.dels,
    }


def _counts(counts: EntityCounts) -> dict[str, Any]:
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "hits": counts.hits,
        "misses": counts.misses,
        "false_hits": counts.false_hits,
    }


def _group(group: Group) -> dict[str, Any]:
    return {"field": group.field, "value": group.value, **_totals(group.totals)}


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "field": gap.field,
        "metric": gap.metric,
        "best": gap.best,
        "best_rate": gap.best_rate,
        "worst": gap.worst,
        "worst_rate": gap.worst_rate,
        "points": gap.points,
    }


def _entity(row: EntityRow) -> dict[str, Any]:
    data: dict[str, Any] = {
        "phrase": row.phrase,
        "hits": row.counts.hits,
        "misses": row.counts.misses,
        "false_hits": row.counts.false_hits,
    }
    return data if row.seen is None else {**data, "seen": row.seen}


def _comparison(c: Comparison) -> dict[str, Any]:
    return {
        "main": c.first,
        "baseline": c.second,
        "difference": c.difference,
        "interval": [c.interval.low, c.interval.high],
        "probability_main_better": c.first_better,
    }
