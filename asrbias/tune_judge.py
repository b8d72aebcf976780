"""What options are worth on a tuning's speech: figures, evidence fitted, its threshold as low as the bounds allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from asrbias.ablation import judge
from asrbias.ablation_runs import Condition, Corpus
from asrbias.evidence_options import EvidenceOptions
from asrbias.joint_options import JointOptions
from asrbias.score import Score
from asrbias.tune_evidence import Evidences, fit, fold_of, gather, weigh, without
from asrbias.tune_options import TuneOptions, evidence, with_evidence
from asrbias.tune_steps import Case, Steps
from asrbias.tune_trials import Bounds, Figures

STEPS = 12  # of the threshold, from where nothing passes to the fitted one; a nat each, or more
FINE = 4  # parts of such a step
ABOVE = 2.5  # steps above what nobody says, from where it is looked for
NONE_BELOW = -1000.0  # nats: a threshold that anything passes


@dataclass(frozen=True)
class Cases:
    """The lists of a tuning."""

    own: tuple[Case, ...]
    alone: tuple[Case, ...]

    @property
    def all(self) -> tuple[Case | None, ...]:
        """None first: no list."""
        return (None, *self.own, *self.alone)

    @classmethod
    def of(cls, corpus: Corpus, o: TuneOptions) -> Cases:
        own = tuple(Case(corpus, Condition(count=size)) for size in o.sizes)
        parts = [corpus.distractors[o.alone * k : o.alone * (k + 1)] for k in range(o.lists)]
        alone = [Case(replace(corpus, distractors=part), Condition(count=o.alone, own=False)) for part in parts]
        return cls(own, tuple(alone))


class Judge:
    """Options by their figures on one corpus."""

    def __init__(self, steps: Steps, o: TuneOptions) -> None:
        self.steps, self.o = steps, o
        self.cases, self.bounds = Cases.of(steps.corpus, o), Bounds(false_hits=o.false_hits, harm=o.harm)
        lines = steps.corpus.lines
        self.folds = fold_of([str(line.fields.get("speaker") or line.id) for line in lines], o.folds)
        self._own = [set(steps.corpus.own(line)) for line in lines]

    def figures(self, o: JointOptions, only: Sequence[int] | None = None) -> Figures:
        """Of these options on all utterances, or some."""
        wanted = self.steps.all if only is None else only
        texts = {case: self.steps.texts(o, case, wanted) for case in self.cases.all}
        return self.figures_of(texts, wanted)

    def figures_of(self, texts: dict[Case | None, list[str]], only: Sequence[int] | None = None) -> Figures:
        """Of what was heard."""
        wanted = self.steps.all if only is None else only
        own, alone = self.cases.own, self.cases.alone
        none = judge(_part(self.steps.corpus, wanted), texts[None], Condition(count=0))
        return Figures.of(
            none,
            {case.condition.count: self._score(case, texts[case], wanted) for case in own},
            [self._score(case, texts[case], wanted) for case in alone],
            [self._score(case, texts[None], wanted) for case in alone],
        )

    def _score(self, case: Case, texts: Sequence[str], wanted: Sequence[int]) -> Score:
        return judge(_part(case.corpus, wanted), texts, case.condition)

    def settled(self, o: JointOptions) -> tuple[JointOptions, Figures]:
        """With the evidence fitted, and its threshold as low as the bounds allow."""
        start = evidence(o)
        if start is None:
            return o, self.figures(o)
        fitted = fit(self.evidences(o), start, anew=self.o.anew)
        return self._threshold(o, fitted.weights if fitted is not None else start)

    def _threshold(
        self, o: JointOptions, weights: EvidenceOptions, only: Sequence[int] | None = None
    ) -> tuple[JointOptions, Figures]:
        """Down from above all that passes of lists of which nothing is said, until the bounds are exceeded."""

        def at(rise: float) -> tuple[JointOptions, Figures]:
            made = with_evidence(o, replace(weights, threshold=round(weights.threshold + rise, 3)))
            return made, self.figures(made, only)

        highest = self._highest(o, weights, only)
        step = max(1.0, highest / STEPS)
        rise = highest + ABOVE * step
        best = at(rise)
        for _ in range(2 * STEPS):
            found = at(rise - step)
            if not self.bounds.met(found[1]):
                break
            rise, best = rise - step, max(best, found, key=self._merit)
        for part in range(1, FINE):
            found = at(rise - step * part / FINE)
            if not self.bounds.met(found[1]):
                break
            best = max(best, found, key=self._merit)
        return best

    def _highest(self, o: JointOptions, weights: EvidenceOptions, only: Sequence[int] | None) -> float:
        """Nats above the threshold that evidence for what nobody says reaches; 1 where there is none."""
        free = replace(weights, threshold=NONE_BELOW)
        wanted = self.steps.all if only is None else only
        claims = [one for case in self.cases.alone for one in self.steps.claims(o, case, wanted) if one.claims]
        most = max((float(weigh(one.inputs, free, one.size).max()) for one in claims), default=1.0 - NONE_BELOW)
        return most + NONE_BELOW - (weights.threshold if claims else 0.0)

    def _merit(self, found: tuple[JointOptions, Figures]) -> tuple[bool, float, float]:
        return self.bounds.rank(found[1])

    def evidences(self, o: JointOptions, only: Sequence[int] | None = None) -> Evidences:
        wanted = self.steps.all if only is None else only
        rows = []
        for case in self.cases.own:
            lists = self.steps.lists(case, wanted, o)
            for n, one, listed in zip(wanted, self.steps.claims(o, case, wanted), lists, strict=True):
                rights = [listed.entities[claim.spot.entity].phrase in self._own[n] for claim in one.claims]
                rows.append((one, rights, int(self.folds[n])))
        return gather(rows)

    def held_out(self, o: JointOptions) -> Figures | None:
        """Figures with the evidence's weights and threshold found on the speakers of the other parts."""
        start = evidence(o)
        found = self.evidences(o) if start is not None else None
        if start is None or found is None or fit(found, start) is None:
            return None
        cases = self.cases.all
        texts: dict[Case | None, dict[int, str]] = {case: {} for case in cases}
        for fold in sorted(set(self.folds.tolist())):
            inside = [n for n in self.steps.all if self.folds[n] == fold]
            others = [n for n in self.steps.all if self.folds[n] != fold]
            fitted = fit(without(found, fold), start, anew=self.o.anew)
            chosen, _ = self._threshold(o, fitted.weights if fitted is not None else start, others)
            for case in cases:
                texts[case] |= zip(inside, self.steps.texts(chosen, case, inside), strict=True)
        return self.figures_of({case: [some[n] for n in self.steps.all] for case, some in texts.items()})


def _part(corpus: Corpus, wanted: Sequence[int]) -> Corpus:
    return replace(corpus, lines=tuple(corpus.lines[n] for n in wanted))
