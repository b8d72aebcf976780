"""Trials of a tuning: options, what they gave, and the log that lets an interrupted run go on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asrbias.joint_options import JointOptions
from asrbias.score import Score

SLACK = 1e-9


@dataclass(frozen=True, kw_only=True)
class Own:
    """Lists of an utterance's own entities and `size` distractors. Percent; false hits in 1,000 words."""

    size: int
    f1: float
    precision: float
    recall: float
    wer: float
    false_hits: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What options gave. Percent; false hits in 1,000 words of the references."""

    wer: float  # without a list
    own: tuple[Own, ...]  # one a size
    false_hits: float  # of lists of which nothing is said, the mean
    none: float  # the same phrases written without a list
    alone: float  # WER with such lists, the mean

    @property
    def f1(self) -> float:
        """The mean over the sizes."""
        return sum(one.f1 for one in self.own) / len(self.own)

    @property
    def more_hits(self) -> float:
        return self.false_hits - self.none

    @property
    def more_wer(self) -> float:
        return self.alone - self.wer

    @classmethod
    def of(cls, none: Score, own: Mapping[int, Score], alone: Sequence[Score], free: Sequence[Score]) -> Figures:
        """From scores: without a list, by size, of lists of which nothing is said, and of no list scored with them."""
        return cls(
            wer=rate(none),
            own=tuple(_own(size, score) for size, score in own.items()),
            false_hits=_mean([score.totals.false_hits_per_1000_words for score in alone]),
            none=_mean([score.totals.false_hits_per_1000_words for score in free]),
            alone=_mean([rate(score) for score in alone]),
        )

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Figures:
        return cls(**{**row, "own": tuple(Own(**one) for one in row["own"])})


def rate(score: Score) -> float:
    return score.totals.wer.error_rate or 0.0


def _own(size: int, score: Score) -> Own:
    e = score.totals.entities
    return Own(size=size, f1=e.f1 or 0.0, precision=e.precision or 0.0, recall=e.recall or 0.0, wer=rate(score),
               false_hits=score.totals.false_hits_per_1000_words or 0.0)  # fmt: skip


def _mean(values: Sequence[float | None]) -> float:
    return sum(value or 0.0 for value in values) / len(values)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What lists of which nothing is said may do, and so which of two figures is better."""

    false_hits: float  # in 1,000 words, more than without a list
    harm: float  # points of WER, more than without a list

    def met(self, one: Figures) -> bool:
        return one.more_hits <= self.false_hits + SLACK and one.more_wer <= self.harm + SLACK

    def rank(self, one: Figures) -> tuple[bool, float, float]:
        """Larger is better: what meets the bounds by its F1, what does not by how little it exceeds them."""
        if self.met(one):
            return True, one.f1, -one.more_hits
        over = max(0.0, one.more_hits - self.false_hits) + max(0.0, one.more_wer - self.harm)
        return False, -over, one.f1


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Options that were tried. `value` is what its stage looks at, smaller is better, where that is not the figures."""

    stage: str
    changed: str  # for people: what it has otherwise than what was best before
    options: JointOptions  # with the evidence that was fitted
    figures: Figures | None = None
    value: float | None = None
    seconds: float = 0.0
    again: bool = False  # taken from the log


class TrialLog:
    """JSON lines; what is in the file is not done again. A last line that was cut short is taken off.

    Args:
        made_from: what figures depend on beside the options: data, model, program, lists.
    """

    def __init__(self, path: Path, made_from: Sequence[Any]) -> None:
        self.path, self._made_from, self.rows = path, list(made_from), dict[str, dict[str, Any]]()
        if path.is_file():
            for row in _whole_lines(path):
                self.rows[row["key"]] = row

    def key(self, kind: str, options: JointOptions) -> str:
        content = [self._made_from, kind, options.to_json()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def find(self, key: str, stage: str, changed: str) -> Trial | None:
        """A trial that was done before."""
        row = self.rows.get(key)
        if row is None:
            return None
        figures = Figures.from_json(row["figures"]) if row["figures"] is not None else None
        return Trial(stage=stage, changed=changed, options=JointOptions.from_json(row["options"]), figures=figures,
                     value=row["value"], seconds=row["seconds"], again=True)  # fmt: skip

    def add(self, key: str, trial: Trial) -> None:
        figures = asdict(trial.figures) if trial.figures is not None else None
        row = {"key": key, "stage": trial.stage, "changed": trial.changed, "value": trial.value, "figures": figures,
               "seconds": round(trial.seconds, 2), "options": trial.options.to_json()}  # fmt: skip
        self.rows[key] = row
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with open(path, "r+b") as file:
            file.truncate(whole)
    for line in data[:whole].decode("utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)
