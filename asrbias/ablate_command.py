"""`asrbias ablate`: what each technique of decoder biasing does, alone and with the others. See docs/ablation.md."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import track

import asrbias
from asrbias.ablation import Ablation, ablate
from asrbias.ablation_plot import plot
from asrbias.ablation_report import changed_options, markdown, page, to_dict
from asrbias.ablation_runs import Condition, Corpus, Encoded, Runs
from asrbias.ablation_settings import make_settings, only, usable
from asrbias.adapting import Adapting
from asrbias.audio import AudioError
from asrbias.encoding import encode as encode_batch
from asrbias.files import read_object, write_whole
from asrbias.joint import JointDecoder, JointOptions
from asrbias.lm import LanguageModel
from asrbias.loading import STARTER, find_language_model, find_model, load
from asrbias.recognizer import Recognizer
from asrbias.score import ScoreOptions
from asrbias.significance import BootstrapOptions
from asrbias.techniques import Setup, all_off, find_technique

if TYPE_CHECKING:
    from asrbias.ablation_settings import Setting
    from asrbias.entities import EntityList

SIZES, ALONE = (100, 1000), (1000,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias ablate` to a parser."""
    parser.description = "Every technique of decoder biasing off, alone, all but it, and all together, on one manifest."
    parser.add_argument("manifest", type=Path, help="JSON lines with `audio`, `text` and `entities`")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER",
                        help="the reports, and what is finished: a run that was interrupted goes on")  # fmt: skip
    lists = parser.add_argument_group("lists")
    lists.add_argument("--distractors", type=Path, metavar="FILE", help="phrases, the first N of which join each list")
    lists.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N",
                       help="distractors beside an utterance's own entities (default: 100 1000)")  # fmt: skip
    lists.add_argument("--distractors-only", type=int, nargs="*", default=list(ALONE), metavar="N",
                       help="lists of which nothing is spoken (default: 1000; none: no such table)")  # fmt: skip
    system = parser.add_argument_group("system")
    system.add_argument("--model", default=STARTER, metavar="NAME", help="model folder or name (default: %(default)s)")
    system.add_argument("--lm", type=Path, metavar="FILE", help="language model (default: the model's own, if any)")
    system.add_argument("--no-lm", action="store_true", help="use no language model")
    system.add_argument("--options", type=Path, metavar="FILE",
                        help="JSON: all techniques together (default: the model's own decode.json)")  # fmt: skip
    system.add_argument("--alone", type=Path, metavar="FILE",
                        help='JSON {"technique": {options}}: how strong each is where it stands alone')  # fmt: skip
    system.add_argument("--only", nargs="*", metavar="TECHNIQUE",
                        help="rows about these techniques, beside none and all (default: all rows)")  # fmt: skip
    system.add_argument("--device", default="cpu", metavar="cpu|cuda", help="for encoding (default: %(default)s)")
    system.add_argument("--threads", type=int, metavar="N", help="for decoding (default: one a core)")
    scores = parser.add_argument_group("scores")
    scores.add_argument("--normalisation", default="basic", help="none, basic or english (default: %(default)s)")
    scores.add_argument("--resamples", type=int, default=10_000, metavar="N", help="bootstrap (default: 10,000)")
    scores.add_argument("--resample-by", default="utterance", metavar="FIELD", help="such as speaker")
    scores.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the tables")


def run(arguments: argparse.Namespace) -> int:
    """Decode what is missing, then write ablation.json, .md, .html and .svg, and print the tables."""
    found = _ablate(arguments)
    as_json = json.dumps(to_dict(found), ensure_ascii=False, indent=1) + "\n"
    texts = {"json": as_json, "md": markdown(found), "html": page(found), "svg": plot(found)}
    for ending, text in texts.items():
        write_whole(arguments.output / f"ablation.{ending}", text.encode())
    print(texts["json" if arguments.json else "md"], end="")
    return 0


def _ablate(arguments: argparse.Namespace) -> Ablation:
    conditions = _conditions(arguments)
    corpus = Corpus.read(arguments.manifest, arguments.distractors, max(c.count for c in conditions))
    bootstrap = BootstrapOptions(resamples=arguments.resamples, seed=arguments.seed, unit=arguments.resample_by)
    score = ScoreOptions(normalisation=arguments.normalisation)
    folder = find_model(arguments.model)
    lm = None if arguments.no_lm else arguments.lm or find_language_model(folder)
    if arguments.no_lm and arguments.lm:
        raise ValueError("--no-lm and --lm contradict each other; give one of them.")
    recognizer = load(folder, device=arguments.device, lm=None)
    full = Setup(options=_options(arguments.options, folder), lm=lm is not None)
    phones = recognizer.own.encoder.config.phones > 0
    techniques = usable(full, lm=lm is not None, phones=phones, adapter=recognizer.own.adapter is not None)
    settings = make_settings(full, techniques, read_alone(arguments.alone, full))
    settings = only(settings, arguments.only) if arguments.only is not None else settings
    runs = Runs(
        arguments.output,
        corpus,
        encode=lambda: encode(recognizer, corpus),
        decoder=decoders(recognizer, LanguageModel.read(lm) if lm is not None else None),
        adapter=adapters(recognizer),
        made_from=[digest([*sorted(folder.iterdir()), *([lm] if lm is not None else [])]), program()],
        frame=recognizer.model.seconds_per_frame,
        threads=arguments.threads,
    )
    console = Console(stderr=True)
    total, done = len(settings) * len(conditions), 0

    def progress(setting: Setting, condition: Condition) -> None:
        nonlocal done
        done += 1
        console.print(f"{done} of {total}: {setting.name}, {condition}", highlight=False)

    return ablate(runs, settings, conditions, score=score, bootstrap=bootstrap, progress=progress, about={
        "manifest": str(arguments.manifest), "model": str(arguments.model), "language model": str(lm or "none"),
        "options": json.dumps(changed_options(full.options)),
    })  # fmt: skip


def encode(recognizer: Recognizer, corpus: Corpus) -> list[Encoded]:
    """All recordings, one at a time: padding changes nothing that way. Raises AudioError, naming the recording."""
    found = []
    adapted, half = recognizer.own.adapter is not None, recognizer.device.type == "cuda"
    for line in track(corpus.lines, "encoding", console=Console(stderr=True)):
        try:
            samples = recognizer.samples(line.source)
        except AudioError as error:
            raise AudioError(f"{line.id}: {error}") from error
        one = encode_batch(recognizer.own, [samples], recognizer.device, adapted=adapted, half=half)[0]
        found.append(Encoded(one.log_probs, one.phones, len(samples) / recognizer.sample_rate, one.hidden))
    return found


def decoders(recognizer: Recognizer, lm: LanguageModel | None) -> Callable[[Setup], JointDecoder]:
    """Decoders of setups on the recognizer's labels."""

    def make(setup: Setup) -> JointDecoder:
        vocabulary = recognizer.model.vocabulary
        given = lm if setup.lm else None
        return JointDecoder(vocabulary.labels, blank=vocabulary.blank, lm=given, options=setup.options)

    return make


def adapters(recognizer: Recognizer) -> Callable[[Setup], Callable[[Encoded, EntityList], Any]] | None:
    """The model's adapter with the options of a setup."""
    model = recognizer.own
    if model.adapter is None:
        return None
    adapter = model.adapter

    def make(setup: Setup) -> Callable[[Encoded, EntityList], Any]:
        adapting = Adapting(model.encoder, adapter, model.vocabulary, setup.options.adapter)
        return lambda one, listed: adapting(one.hidden, np.asarray(one.phones), listed)

    return make


def _conditions(arguments: argparse.Namespace) -> list[Condition]:
    conditions = [Condition(count=count) for count in dict.fromkeys(arguments.sizes)]
    conditions += [Condition(count=count, own=False) for count in dict.fromkeys(arguments.distractors_only)]
    wrong = [c.count for c in conditions if c.count < (0 if c.own else 1)]
    if wrong:
        raise ValueError(
            f"{wrong[0]} is no number of distractors; give 0 or more (lists of distractors alone: 1 or more)."
        )
    return conditions


def _options(given: Path | None, folder: Path) -> JointOptions:
    """Those of the file that is given, else of the model's own; a model that has none gets the defaults."""
    path = given or folder / "decode.json"
    return JointOptions.from_json(_read(path)) if given or path.is_file() else JointOptions()


def read_alone(path: Path | None, full: Setup) -> dict[str, Setup]:
    """Technique -> `full` with the options that its file gives it alone."""
    if path is None:
        return {}
    found = {}
    for name, own in _read(path).items():
        if not isinstance(own, dict):
            raise ValueError(
                f"{path}: the options of {name!r} are {own!r}; write a JSON object, as in a model's decode.json."
            )
        alone = find_technique(name).on(all_off(full), full)  # with nothing that its options could contradict
        found[name] = replace(alone, options=JointOptions.from_json(_merged(alone.options.to_json(), own)))
    return found


def _merged(options: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`options` with those of `own` in their place; own may be DecodeOptions in one level, as a decode.json may be."""
    parts = own if set(own) & set(options) else {"decode": own}
    merged = dict(options)
    for name, values in parts.items():
        known = merged.get(name)
        merged[name] = {**known, **values} if isinstance(known, dict) and isinstance(values, dict) else values
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used ({error}); give options as in a model's decode.json.") from None


def digest(paths: Iterable[Path]) -> str:
    """Of the names and contents of files."""
    found = hashlib.sha256()
    for path in paths:
        if path.is_file():
            found.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


@cache
def program() -> str:
    """Of what decodes; what scores, shows and is for other commands may change under a finished setting."""
    files = sorted(Path(asrbias.__file__).parent.glob("*"))
    skipped = ("ablat", "score", "significance", "train", "serving", "explain", "tun", "cli")
    used = [f for f in files if not f.name.startswith(skipped) and not f.stem.endswith("_command")]
    return digest(f for f in used if f.suffix in (".py", ".so", ".pyd"))
