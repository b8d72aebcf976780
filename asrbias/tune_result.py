"""The result of a tuning: options confirmed by the decoder itself, their figures, and the files that say so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from asrbias import __version__
from asrbias.ablation import judge
from asrbias.ablation_settings import ALL, NONE
from asrbias.files import write_whole
from asrbias.joint_options import JointOptions
from asrbias.loading import OPTIONS
from asrbias.score import Score
from asrbias.significance import BootstrapOptions
from asrbias.tune import Tuned, Tuner
from asrbias.tune_judge import Cases
from asrbias.tune_options import TuneOptions, changes, evidence, with_evidence
from asrbias.tune_report import BEFORE, Compared, compare, markdown, to_dict
from asrbias.tune_steps import Case, Steps
from asrbias.tune_trials import Figures

RAISE, RAISED = 0.25, 20  # nats, and times that a threshold is raised where JointDecoder itself exceeds the bounds
NAMES = {NONE: "no list", BEFORE: "start", ALL: "tuned"}
Texts = dict[Case | None, list[str]]  # what each utterance is heard as, by its list


def write_options(folder: Path, o: JointOptions) -> None:
    """As decode.json; what is there is kept as it is, if it says the same."""
    text = json.dumps(o.to_json(), indent=1) + "\n"
    path = folder / "decode.json"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text.encode())


@dataclass(frozen=True, kw_only=True)
class About:
    """What a tuning was made from, for people."""

    manifest: str
    distractors: str
    model: str
    lm: str
    notes: tuple[str, ...]


@dataclass(kw_only=True)
class Report:
    """What was found, with its figures."""

    tuned: Tuned
    o: TuneOptions
    about: About
    options: JointOptions
    parts: list[Compared]
    held_out: Figures | None
    met: bool
    other: str = ""  # speech that nothing was tuned on, and what was found there
    others: tuple[Compared, ...] = ()

    @classmethod
    def of(cls, tuner: Tuner, tuned: Tuned, about: About, bootstrap: BootstrapOptions) -> Report:
        """Decodes by JointDecoder itself, which the steps may differ from in a place that just passes."""
        options, texts, met = confirmed(tuner, tuned)
        before: Texts = {case: tuner.steps.texts(tuned.start.options, case) for case in tuner.judge.cases.all}
        parts = _compared(tuner.judge.cases, before, texts, bootstrap)
        return cls(tuned=tuned, o=tuner.o, about=about, options=options, parts=parts, met=met,
                   held_out=tuner.judge.held_out(options))  # fmt: skip

    def check(self, steps: Steps, name: str, bootstrap: BootstrapOptions) -> None:
        """The same figures on other speech."""
        cases = Cases.of(steps.corpus, self.o)
        start, found = self.tuned.start.options, self.options
        before, texts = ({case: list(steps.whole(o, case)) for case in cases.all} for o in (start, found))
        self.other, self.others = name, tuple(_compared(cases, before, texts, bootstrap))

    def write(self, folder: Path) -> str:
        """decode.json, tune.json and tune.md, whose text is returned."""
        text = self._text(folder)
        write_options(folder, self.options)
        write_whole(folder / "tune.md", text.encode())
        write_whole(folder / "tune.json", (json.dumps(self._content(), indent=1) + "\n").encode())
        return text

    def _content(self) -> dict[str, Any]:
        return {
            "version": __version__, "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **asdict(self.about), "asked": asdict(self.o), "trials": self.tuned.trials, "stopped": self.tuned.stopped,
            "meets the bounds": self.met, "changed": changes(self.tuned.start.options, self.options),
            "options": self.options.to_json(), "tuned on": [to_dict(part) for part in self.parts],
            "held out": asdict(self.held_out) if self.held_out is not None else None,
            "check": {"manifest": self.other, "tables": [to_dict(part) for part in self.others]},
        }  # fmt: skip

    def _text(self, folder: Path) -> str:
        changed = changes(self.tuned.start.options, self.options)
        values = ", ".join(f"`{path}` {json.dumps(value)}" for path, value in changed.items())
        stopped = " It was stopped before all was tried." if self.tuned.stopped else ""
        bounds = f"{self.o.false_hits:g} false hits in 1,000 words and {self.o.harm:g} points of WER more than no list"
        lines = [
            f"# {self.about.model}, tuned on {self.about.manifest}", "",
            f"{self.tuned.trials} trials.{stopped} Bounds, for lists of {self.o.alone:,} distractors alone: {bounds}; "
            f"{'met' if self.met else 'NOT met by anything that was tried: what exceeds them least was taken'}.",
            *self.about.notes, "",
            f"Changed from the start: {values or 'nothing'}.", "",
            "## On the speech it was tuned on", "",
            "These figures are optimistic: the weights were chosen by them. 95 % intervals by the bootstrap over "
            "utterances.", "", markdown(self.parts, NAMES), _held_out(self.held_out),
        ]  # fmt: skip
        if self.others:
            lines += [f"## On {self.other}, which nothing was tuned on", "", markdown(self.others, NAMES)]
        lines += [f"The options are in {folder / OPTIONS}: `asrbias.load(decode=FILE)`, `--options FILE`."]
        return "\n".join(lines) + "\n"


def confirmed(tuner: Tuner, tuned: Tuned) -> tuple[JointOptions, Texts, bool]:
    """The best options, what JointDecoder writes with them, and whether that meets the bounds.

    Where it does not though the steps did, the threshold is raised until it does.
    """
    options = tuned.best.options
    for _ in range(RAISED):
        texts: Texts = {case: list(tuner.steps.whole(options, case)) for case in tuner.judge.cases.all}
        met = tuner.judge.bounds.met(tuner.judge.figures_of(texts))
        weights, figures = evidence(options), tuned.best.figures
        if met or weights is None or figures is None or not tuner.judge.bounds.met(figures):
            break
        options = with_evidence(options, replace(weights, threshold=round(weights.threshold + RAISE, 3)))
    return options, texts, met


def _held_out(one: Figures | None) -> str:
    if one is None:
        return ""
    f1 = " / ".join(f"{own.f1:.1f}" for own in one.own)
    return (
        f"With the evidence's weights and threshold found on other speakers than those they are used on: F1 {f1}, "
        f"distractors alone {one.more_hits:+.2f} false hits in 1,000 words, WER {one.more_wer:+.2f}.\n"
    )


def _compared(
    cases: Cases,
    before: Mapping[Case | None, list[str]],
    texts: Mapping[Case | None, list[str]],
    bootstrap: BootstrapOptions,
) -> list[Compared]:
    found = []
    for number, case in enumerate((*cases.own, *cases.alone)):
        some: Sequence[tuple[str, list[str]]] = ((NONE, texts[None]), (BEFORE, before[case]), (ALL, texts[case]))
        scores: dict[str, Score] = {name: judge(case.corpus, heard, case.condition) for name, heard in some}
        several = not case.condition.own and len(cases.alone) > 1
        title = f"{case}, list {number - len(cases.own) + 1}" if several else str(case)
        found.append(compare(title, case.condition.own, scores, bootstrap))
    return found
