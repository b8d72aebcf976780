"""`asrbias tune`: all weights of joint decoding, found on held-out speech. See docs/tuning.md."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from asrbias import __version__
from asrbias.ablate_command import adapters, decoders, digest, encode, program
from asrbias.ablation import judge
from asrbias.ablation_runs import Corpus
from asrbias.ablation_settings import ALL, NONE, usable
from asrbias.files import write_whole
from asrbias.joint_options import JointOptions
from asrbias.lm import LanguageModel
from asrbias.manifest import ManifestError
from asrbias.recognizer import STARTER, find_language_model, find_model, load, own_decode_options, read_options
from asrbias.score import Score
from asrbias.significance import BootstrapOptions
from asrbias.techniques import Setup
from asrbias.tune import Cases, Tuned, Tuner
from asrbias.tune_options import TuneError, TuneOptions, changes, evidence, first_options, with_evidence
from asrbias.tune_report import BEFORE, Board, Compared, compare, markdown, to_dict
from asrbias.tune_steps import Steps
from asrbias.tune_trials import Figures, Trial, TrialLog

FEWEST = 20  # utterances, with fewer of which every figure is chance
RAISE, RAISED = 0.25, 20  # nats, and times that a threshold is raised where JointDecoder itself exceeds the bounds
DEFAULT = TuneOptions()
NAMES = {NONE: "no list", BEFORE: "start", ALL: "tuned"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias tune` to a parser."""
    parser.description = "Find all weights of joint decoding on held-out speech, with a bound on false hits."
    parser.add_argument("manifest", type=Path, help="JSON lines with `audio`, `text`, `entities`, and best `speaker`")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER",
                        help="decode.json, the report, and the trials: a run that was interrupted goes on")  # fmt: skip
    lists = parser.add_argument_group("lists and bounds")
    lists.add_argument("--distractors", type=Path, metavar="FILE", help="phrases of which nothing is said")
    lists.add_argument("--sizes", type=int, nargs="+", default=list(DEFAULT.sizes), metavar="N",
                       help="distractors beside an utterance's own entities (default: 100 1000)")  # fmt: skip
    lists.add_argument("--alone", type=int, default=DEFAULT.alone, metavar="N",
                       help="distractors in a list of which nothing is said (default: %(default)s)")  # fmt: skip
    lists.add_argument("--lists", type=int, default=DEFAULT.lists, metavar="N",
                       help="such lists, one after the other from the file (default: %(default)s)")  # fmt: skip
    lists.add_argument("--false-hits", type=float, default=DEFAULT.false_hits, metavar="N",
                       help="in 1,000 words, that such lists may add (default: %(default)s)")  # fmt: skip
    lists.add_argument("--harm", type=float, default=DEFAULT.harm, metavar="POINTS",
                       help="of WER, that such lists may add (default: %(default)s)")  # fmt: skip
    _add_system(parser)


def _add_system(parser: argparse.ArgumentParser) -> None:
    system = parser.add_argument_group("system")
    system.add_argument("--model", default=STARTER, metavar="NAME", help="model folder or name (default: %(default)s)")
    system.add_argument("--lm", type=Path, metavar="FILE", help="language model (default: the model's own, if any)")
    system.add_argument("--no-lm", action="store_true", help="use no language model")
    system.add_argument(
        "--options", type=Path, metavar="FILE", help="where to start (default: the model's decode.json)"
    )
    system.add_argument("--off", nargs="+", default=[], metavar="TECHNIQUE", help="leave these out (docs/ablation.md)")
    system.add_argument("--device", default="cpu", metavar="cpu|cuda", help="for encoding (default: %(default)s)")
    system.add_argument("--threads", type=int, metavar="N", help="for decoding (default: one a core)")
    spent = parser.add_argument_group("what is spent and what is made")
    spent.add_argument("--budget", type=float, metavar="MINUTES", help="after which the best so far is taken")
    spent.add_argument("--trials", type=int, metavar="N", help="at most, those of an interrupted run counted")
    spent.add_argument("--check", type=Path, metavar="MANIFEST", help="other speech, for figures that are not tuned")
    spent.add_argument("--write", metavar="MODEL", help="put decode.json into this model folder too")
    spent.add_argument("--resamples", type=int, default=10_000, metavar="N", help="bootstrap (default: 10,000)")


def run(arguments: argparse.Namespace) -> int:
    """Tune, write decode.json, tune.json and tune.md, and print the figures."""
    began = time.monotonic()
    o = TuneOptions(
        sizes=tuple(dict.fromkeys(arguments.sizes)), alone=arguments.alone, lists=arguments.lists,
        false_hits=arguments.false_hits, harm=arguments.harm, budget=arguments.budget, trials=arguments.trials,
    )  # fmt: skip
    corpus = read_corpus(arguments.manifest, arguments.distractors, o)
    check = read_corpus(arguments.check, arguments.distractors, o, fewest=1) if arguments.check else None
    written = find_model(arguments.write) if arguments.write else None
    bootstrap = BootstrapOptions(resamples=arguments.resamples)
    console = Console(stderr=True)
    system = System.of(arguments)
    for note in system.notes:
        console.print(note, highlight=False, soft_wrap=True)
    steps = system.steps(corpus)
    log = TrialLog(arguments.output / "trials.jsonl", [*system.made_from, corpus.digest, _said(corpus), _asked(o)])
    reserve = time.monotonic() - began  # the end takes about as long as the beginning
    deadline = None if o.budget is None else began + 60 * o.budget - reserve
    tuner = Tuner(steps, o, log, deadline=deadline)
    with Board(tuner.bounds, console) as board:

        def show(trial: Trial, best: Trial | None) -> None:
            if best is not None:  # kept for a run that is interrupted
                write_options(arguments.output, best.options)
            board.show(trial, best)

        tuner.show = show
        tuned = tuner.run(system.start, system.on)
    report = Report.of(tuner, tuned, system, bootstrap, console)
    if check is not None:
        report.checked(system.steps(check), o, str(arguments.check), bootstrap)
    report.write(arguments, console)
    if written is not None:
        write_options(written, report.options)
        console.print(f"{written / 'decode.json'} written", highlight=False)
    print(report.text, end="")
    return 0


def read_corpus(manifest: Path, distractors: Path | None, o: TuneOptions, fewest: int = FEWEST) -> Corpus:
    """Raises ManifestError and TuneError for speech that nothing can be found on."""
    if distractors is None:
        raise TuneError("There are no distractors; give --distractors FILE, phrases of which nothing is said.")
    corpus = Corpus.read(manifest, distractors, o.distractors)
    if len(corpus.lines) < fewest:
        raise ManifestError(
            f"{manifest} has {len(corpus.lines)} utterances; a tuning needs {fewest} or more, and some hundred to mean "
            "anything."
        )
    return corpus


def _said(corpus: Corpus) -> list[Any]:
    """What trials depend on beside the recordings."""
    return [[[line.fields["text"], line.fields.get("speaker")] for line in corpus.lines], corpus.distractors]


def _asked(o: TuneOptions) -> dict[str, Any]:
    """The same of the options: not how much may be spent."""
    return asdict(replace(o, budget=None, trials=None))


def write_options(folder: Path, o: JointOptions) -> None:
    """As decode.json; what is there is kept as it is, if it says the same."""
    text = json.dumps(o.to_json(), indent=1) + "\n"
    path = folder / "decode.json"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text.encode())


@dataclass(frozen=True, kw_only=True)
class System:
    """A model, its language model, and where its tuning begins."""

    name: str
    lm: Path | None
    start: JointOptions
    on: JointOptions
    notes: tuple[str, ...]
    made_from: tuple[str, ...]
    recognizer: Any
    language: LanguageModel | None
    threads: int | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> System:
        if arguments.no_lm and arguments.lm:
            raise ValueError("--no-lm and --lm contradict each other; give one of them.")
        folder = find_model(arguments.model)
        lm = None if arguments.no_lm else arguments.lm or find_language_model(folder)
        own = read_options(arguments.options) if arguments.options else own_decode_options(folder)
        recognizer = load(folder, device=arguments.device, lm=None, decode=JointOptions())
        model, full = recognizer.model, Setup(options=own or JointOptions(), lm=lm is not None)
        has = {"lm": lm is not None, "phones": model.encoder.config.phones > 0, "adapter": model.adapter is not None}
        servable = {one.name for one in usable(full, **has)}
        start, on, notes = first_options(own, servable, tuple(arguments.off))
        model_files = [path for path in sorted(folder.iterdir()) if path.name != "decode.json"]
        made_from = digest([*model_files, *([lm] if lm is not None else [])]), program(), str(lm is not None)
        language = LanguageModel.read(lm) if lm is not None else None
        return cls(name=str(arguments.model), lm=lm, start=start, on=on, notes=tuple(notes), made_from=made_from,
                   recognizer=recognizer, language=language, threads=arguments.threads)  # fmt: skip

    def steps(self, corpus: Corpus) -> Steps:
        """With all of its recordings encoded."""
        weights = evidence(self.start) or evidence(self.on)
        given = {} if weights is None else {"reward": weights.rarity_weight}
        return Steps(
            corpus, encode(self.recognizer, corpus), decoder=decoders(self.recognizer, self.language),
            adapter=adapters(self.recognizer), lm=self.language is not None,
            frame=self.recognizer.model.seconds_per_frame, threads=self.threads, **given,
        )  # fmt: skip


@dataclass(kw_only=True)
class Report:
    """What was found, with its figures."""

    tuned: Tuned
    o: TuneOptions
    system: System
    options: JointOptions
    parts: list[Compared]
    held_out: Figures | None
    met: bool
    others: list[Compared]
    other: str = ""
    text: str = ""

    @classmethod
    def of(cls, tuner: Tuner, tuned: Tuned, system: System, bootstrap: BootstrapOptions, console: Console) -> Report:
        """Figures by JointDecoder itself, which may differ from the steps' in a place that just passes."""
        console.print("figures of what was found, by the decoder itself", highlight=False)
        options, met = tuned.best.options, True
        for _ in range(RAISED):
            texts = {case: list(tuner.steps.whole(options, case)) for case in _cases(tuner.cases)}
            met = tuner.bounds.met(tuner.figures_of(texts))
            weights = evidence(options)
            if met or weights is None or not tuner.bounds.met(tuned.best.figures):  # type: ignore[arg-type]
                break
            options = with_evidence(options, replace(weights, threshold=round(weights.threshold + RAISE, 3)))
        before = {case: tuner.steps.texts(tuned.start.options, case) for case in _cases(tuner.cases)}
        parts = _compared(tuner.cases, before, texts, bootstrap)
        return cls(tuned=tuned, o=tuner.o, system=system, options=options, parts=parts, met=met,
                   held_out=tuner.held_out(options), others=[])  # fmt: skip

    def checked(self, steps: Steps, o: TuneOptions, name: str, bootstrap: BootstrapOptions) -> None:
        """The same on other speech."""
        cases = Cases.of(steps.corpus, o)
        both = [{case: list(steps.whole(options, case)) for case in _cases(cases)}
                for options in (self.tuned.start.options, self.options)]  # fmt: skip
        self.other, self.others = name, _compared(cases, both[0], both[1], bootstrap)

    def write(self, arguments: argparse.Namespace, console: Console) -> None:
        """decode.json, tune.json and tune.md."""
        folder = arguments.output
        write_options(folder, self.options)
        self.text = self._text(arguments, folder)
        write_whole(folder / "tune.md", self.text.encode())
        content = {
            "version": __version__, "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "manifest": str(arguments.manifest), "distractors": str(arguments.distractors), "model": self.system.name,
            "language model": str(self.system.lm or "none"), "asked": asdict(self.o), "notes": self.system.notes,
            "trials": self.tuned.trials, "stopped": self.tuned.stopped, "meets the bounds": self.met,
            "changed": changes(self.tuned.start.options, self.options), "options": self.options.to_json(),
            "tuned on": [to_dict(part) for part in self.parts],
            "held out": asdict(self.held_out) if self.held_out is not None else None,
            "check": {"manifest": self.other, "tables": [to_dict(part) for part in self.others]},
        }  # fmt: skip
        write_whole(folder / "tune.json", (json.dumps(content, indent=1) + "\n").encode())

    def _text(self, arguments: argparse.Namespace, folder: Path) -> str:
        changed = changes(self.tuned.start.options, self.options)
        values = ", ".join(f"`{path}` {json.dumps(value)}" for path, value in changed.items())
        stopped = " It was stopped before all was tried." if self.tuned.stopped else ""
        bounds = f"{self.o.false_hits:g} false hits in 1,000 words and {self.o.harm:g} points of WER more than no list"
        lines = [
            f"# {self.system.name}, tuned on {arguments.manifest}", "",
            f"{self.tuned.trials} trials.{stopped} Bounds, for lists of {self.o.alone:,} distractors alone: {bounds}; "
            f"{'met' if self.met else 'NOT met by anything that was tried: what exceeds them least was taken'}.",
            *self.system.notes, "",
            f"Changed from the start: {values or 'nothing'}.", "",
            "## On the speech it was tuned on", "",
            "These figures are optimistic: the weights were chosen by them. 95 % intervals by the bootstrap over "
            "utterances.", "", markdown(self.parts, NAMES), _held_out(self.held_out),
        ]  # fmt: skip
        if self.others:
            lines += [f"## On {self.other}, which nothing was tuned on", "", markdown(self.others, NAMES)]
        lines += [f"The options are in {folder / 'decode.json'}: `asrbias.load(decode=FILE)`, `--options FILE`."]
        return "\n".join(lines) + "\n"


def _held_out(one: Figures | None) -> str:
    if one is None:
        return ""
    f1 = " / ".join(f"{own.f1:.1f}" for own in one.own)
    return (
        f"With the evidence's weights and threshold found on other speakers than those they are used on: F1 {f1}, "
        f"distractors alone {one.more_hits:+.2f} false hits in 1,000 words, WER {one.more_wer:+.2f}.\n"
    )


def _cases(cases: Cases) -> list[Any]:
    return [None, *cases.own, *cases.alone]


def _compared(
    cases: Cases, before: dict[Any, list[str]], texts: dict[Any, list[str]], bootstrap: BootstrapOptions
) -> list[Compared]:
    found = []
    for number, case in enumerate((*cases.own, *cases.alone)):
        some: Sequence[tuple[str, list[str]]] = ((NONE, texts[None]), (BEFORE, before[case]), (ALL, texts[case]))
        scores: dict[str, Score] = {name: judge(case.corpus, heard, case.condition) for name, heard in some}
        own = case.condition.own
        title = str(case) if own or len(cases.alone) == 1 else f"{case}, list {number - len(cases.own) + 1}"
        found.append(compare(title, own, scores, bootstrap))
    return found
