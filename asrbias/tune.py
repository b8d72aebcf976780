"""All weights of joint decoding, found on held-out speech.

Wanted is the highest entity F1 with lists of an utterance's own entities and distractors (the mean over their sizes)
among the options with which lists of distractors alone do no harm: at most `false_hits` more of them written in 1,000
words, and at most `harm` points more WER, than without a list.

In stages, each from the best before it, along one weight after the other on a grid (tune_options.GRIDS):
1. the start: the model's own options, and these with what else the model can serve switched on;
2. the language model and rescoring, for the least WER without a list;
3. evidence: its weights by a logistic regression, its threshold as low as the bounds allow;
4. the adapter, and 5. what the search pays for the list. Where the search's text is evidence only, settings are told
   apart on every third utterance by the evidence's cross-entropy on other speakers (tune_evidence.py); the last of them
   is then tried as a whole, with 3. done again. Else each is tried as a whole.
The best of all that were tried as a whole is the result, so it is never worse than the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from asrbias.ablation import judge
from asrbias.ablation_runs import Condition
from asrbias.joint_options import JointOptions
from asrbias.tune_evidence import fit
from asrbias.tune_judge import Judge
from asrbias.tune_options import (
    ADAPT,
    GRIDS,
    LIST,
    MODEL,
    TuneOptions,
    changes,
    evidence,
    exchanged,
    get,
    only_told,
    paths,
)
from asrbias.tune_steps import Steps
from asrbias.tune_trials import SLACK, Trial, TrialLog, rate

PASSES = 2  # over the weights of a stage
EQUAL = 2  # steps along a weight that may change nothing
SCREENED = 3  # every so manieth utterance, where settings are told apart first
START, ALL_ON = "start", "all switched on"


class Enough(Exception):
    """What was to be spent is spent."""


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The result."""

    start: Trial
    best: Trial
    stopped: bool  # before all was tried
    trials: int


class Tuner:
    """Tries options on one corpus.

    Args:
        log: what was tried before, and is not tried again.
        show: called with each trial, and the best that was tried as a whole so far.
        deadline: of time.monotonic(), after which nothing new is tried.
    """

    def __init__(
        self,
        steps: Steps,
        o: TuneOptions,
        log: TrialLog,
        show: Callable[[Trial, Trial | None], None] = lambda trial, best: None,
        deadline: float | None = None,
    ) -> None:
        self.steps, self.o, self.log, self.show, self.deadline = steps, o, log, show, deadline
        self.judge = Judge(steps, o)
        self._best: Trial | None = None
        self._tried, self._repeated = set[str](), False

    def run(self, start: JointOptions, on: JointOptions) -> Tuned:
        """From the model's own options, and these with all that it can serve switched on."""
        first = self._whole(START, start, start, settle=False)
        if self.deadline is not None:
            self.deadline -= first.seconds  # the decoder itself takes about as long at the end
        stopped = False
        try:
            self._stages(first, on)
        except Enough:
            stopped = True
        assert self._best is not None
        return Tuned(start=first, best=self._best, stopped=stopped, trials=len(self._tried))

    def _stages(self, first: Trial, on: JointOptions) -> None:
        at = first
        if on != first.options:
            at = self._ahead(at, self._whole(ALL_ON, on, first.options))
            on = at.options if at is not first else on
        model = self._climb("no list", on, MODEL, self._by_wer)
        at = self._ahead(None if model != on else at, self._whole("evidence", model, at.options))
        for stage, wanted in (("adapter", ADAPT), ("list", LIST)):
            if only_told(at.options):
                found = self._climb(stage, at.options, wanted, self._by_evidence)
                at = self._ahead(at, self._whole(stage, found, at.options)) if found != at.options else at
            else:
                at = self._climb_whole(stage, at, wanted)

    # --- what is tried ---

    def _whole(self, stage: str, o: JointOptions, before: JointOptions, *, settle: bool = True) -> Trial:
        """With all figures; evidence is fitted and its threshold found, unless it is to stay as it is."""

        def make() -> Trial:
            made = self.judge.settled(o) if settle else (o, self.judge.figures(o))
            return Trial(stage=stage, changed="", options=made[0], figures=made[1])

        trial = self._try("settled" if settle else "whole", stage, o, before, make)
        if self._best is None or self._rank(trial) > self._rank(self._best):
            self._best = trial
        return self._shown(trial)

    def _by_wer(self, stage: str, o: JointOptions, before: JointOptions) -> Trial:
        def make() -> Trial:
            none = judge(self.steps.corpus, self.steps.texts(o, None), Condition(count=0))
            return Trial(stage=stage, changed="", options=o, value=rate(none))

        return self._shown(self._try("wer", stage, o, before, make))

    def _by_evidence(self, stage: str, o: JointOptions, before: JointOptions) -> Trial:
        def make() -> Trial:
            weights = evidence(o)
            assert weights is not None
            fitted = fit(self.judge.evidences(o, self.steps.all[::SCREENED]), weights, anew=self.o.anew)
            return Trial(stage=stage, changed="", options=o, value=fitted.nats if fitted is not None else 0.0)

        return self._shown(self._try("evidence", stage, o, before, make))

    def _shown(self, trial: Trial) -> Trial:
        if not self._repeated:
            self.show(trial, self._best)
        return trial

    def _try(self, kind: str, stage: str, o: JointOptions, before: JointOptions, make: Callable[[], Trial]) -> Trial:
        """A trial from the log, or made and put there. Raises Enough where it would be one too many."""
        changed = ", ".join(f"{path.split('.')[-1]} {_short(value)}" for path, value in changes(before, o).items())
        key = self.log.key(kind, o)
        first = not self._tried
        if key not in self._tried and self.o.trials is not None and len(self._tried) >= self.o.trials:
            raise Enough
        trial = self.log.find(key, stage, changed)
        if trial is None:
            if not first and self.deadline is not None and time.monotonic() >= self.deadline:
                raise Enough
            began = time.monotonic()
            trial = replace(make(), changed=changed)
            trial = replace(trial, seconds=time.monotonic() - began)
            self.log.add(key, trial)
        self._repeated = key in self._tried
        self._tried.add(key)
        return trial

    def _rank(self, trial: Trial) -> tuple[bool, float, float]:
        assert trial.figures is not None
        return self.judge.bounds.rank(trial.figures)

    def _ahead(self, at: Trial | None, other: Trial) -> Trial:
        return other if at is None or self._rank(other) > self._rank(at) else at

    # --- along the weights ---

    def _climb(
        self,
        stage: str,
        o: JointOptions,
        wanted: Sequence[str],
        tried: Callable[[str, JointOptions, JointOptions], Trial],
    ) -> JointOptions:
        """To where no step along one weight makes the value smaller."""
        usable = paths(o, tuple(wanted), lm=self.steps.lm)
        if not usable:
            return o
        value = tried(stage, o, o).value or 0.0
        for _ in range(PASSES):
            before = o
            for path in usable:
                for up in (True, False):
                    here, step, equal = o, get(o, path), 0
                    while equal < EQUAL and (step := neighbour(path, step, up)) is not None:
                        there = exchanged(here, path, step)
                        found = tried(stage, there, here).value or 0.0
                        if found > value + SLACK:
                            break
                        equal = 0 if found < value - SLACK else equal + 1
                        o, value = (there, found) if not equal else (o, value)
            if o == before:
                break
        return o

    def _climb_whole(self, stage: str, at: Trial, wanted: Sequence[str]) -> Trial:
        """The same by all figures."""
        for _ in range(PASSES):
            before = at
            for path in paths(at.options, tuple(wanted), lm=self.steps.lm):
                for up in (True, False):
                    here, step, equal = at.options, get(at.options, path), 0
                    while equal < EQUAL and (step := neighbour(path, step, up)) is not None:
                        found = self._whole(stage, exchanged(here, path, step), here)
                        if self._rank(found) < self._rank(at):
                            break
                        equal = 0 if self._rank(found) > self._rank(at) else equal + 1
                        at = self._ahead(at, found)
            if at is before:
                break
        return at


def neighbour(path: str, value: float, up: bool) -> float | None:
    """The next value of the grid above (or below) this one."""
    some = [one for one in GRIDS[path] if (one > value + SLACK if up else one < value - SLACK)]
    if not some:
        return None
    return min(some) if up else max(some)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "on" if isinstance(value, dict) else str(value)
