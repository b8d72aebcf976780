"""`asrbias tune`: all weights of joint decoding, found on held-out speech. See docs/tuning.md."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from asrbias.ablate_command import decoders, digest, encode, program
from asrbias.ablation_runs import Corpus, Encoded
from asrbias.ablation_settings import usable
from asrbias.adapting import Adapting
from asrbias.entities import EntityList
from asrbias.joint_options import JointOptions
from asrbias.lm import LanguageModel
from asrbias.loading import OPTIONS, STARTER, find_language_model, find_model, load, own_decode_options, read_options
from asrbias.manifest import ManifestError
from asrbias.recognizer import Recognizer
from asrbias.significance import BootstrapOptions
from asrbias.techniques import Setup
from asrbias.tune import Tuner
from asrbias.tune_kept import KEPT_LISTS
from asrbias.tune_options import TuneError, TuneOptions, evidence, first_options
from asrbias.tune_report import Board
from asrbias.tune_result import About, Report, write_options
from asrbias.tune_steps import Steps
from asrbias.tune_trials import Trial, TrialLog

FEWEST = 20  # utterances, with fewer of which every figure is chance
DEFAULT = TuneOptions()


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
    system.add_argument("--anew", action="store_true", help="fit evidence anew: its weights are of this very speech")
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
        false_hits=arguments.false_hits, harm=arguments.harm, anew=arguments.anew, budget=arguments.budget,
        trials=arguments.trials,
    )  # fmt: skip
    corpus = read_corpus(arguments.manifest, arguments.distractors, o)
    check = read_corpus(arguments.check, arguments.distractors, o, fewest=1) if arguments.check else None
    installed = find_model(arguments.write) if arguments.write else None
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
    with Board(tuner.judge.bounds, console) as board:

        def show(trial: Trial, best: Trial | None) -> None:
            if best is not None:  # kept for a run that is interrupted
                write_options(arguments.output, best.options)
            board.show(trial, best)

        tuner.show = show
        tuned = tuner.run(system.start, system.on)
    console.print("figures of what was found, by the decoder itself", highlight=False)
    about = About(manifest=str(arguments.manifest), distractors=str(arguments.distractors), model=system.name,
                  lm=str(system.lm or "none"), notes=system.notes)  # fmt: skip
    report = Report.of(tuner, tuned, about, bootstrap)
    if check is not None:
        report.check(system.steps(check), str(arguments.check), bootstrap)
    text = report.write(arguments.output)
    if installed is not None:
        write_options(installed, report.options)
        console.print(f"{installed / OPTIONS} written", highlight=False, soft_wrap=True)
    print(text, end="")
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


@dataclass(frozen=True, kw_only=True)
class System:
    """A model, its language model, and where its tuning begins."""

    name: str
    lm: Path | None
    start: JointOptions
    on: JointOptions
    notes: tuple[str, ...]
    made_from: tuple[str, ...]
    recognizer: Recognizer
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
        model, full = recognizer.own, Setup(options=own or JointOptions(), lm=lm is not None)
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
            adapter=self._adapters(len(corpus.lines)), lm=self.language is not None,
            frame=self.recognizer.model.seconds_per_frame, threads=self.threads, **given,
        )  # fmt: skip

    def _adapters(self, utterances: int) -> Callable[[Setup], Callable[[Encoded, EntityList], Any]] | None:
        """As ablate_command.adapters, but that what is known of a list serves all settings."""
        model, o = self.recognizer.own, self.on.adapter
        if model.adapter is None or o is None:
            return None
        first = Adapting(model.encoder, model.adapter, model.vocabulary, o)
        first.kept_lists = min(KEPT_LISTS, 2 * utterances + 8)

        def make(setup: Setup) -> Callable[[Encoded, EntityList], Any]:
            assert setup.options.adapter is not None
            adapting = first.with_options(setup.options.adapter)
            return lambda one, listed: adapting(one.hidden, np.asarray(one.phones), listed)

        return make
