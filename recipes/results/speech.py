"""Speech that is encoded once and decoded once for each setting, for all tables together.

    speech = Speech.of(arguments, most=1000)                    # speech/test, with the first 1,000 distractors
    score = speech.score(speech.full, Condition(count=100))     # the recognizer as it is shipped

Posteriors lie in OUTPUT/encoded under a name made of the model's digest, hypotheses in OUTPUT/hypotheses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from page import model_digest
from safetensors.torch import load_file, save

from asrbias.ablate_command import adapters, decoders, digest, encode, program
from asrbias.ablation import judge
from asrbias.ablation_runs import Condition, Corpus, Encoded, Runs
from asrbias.ablation_settings import Setting
from asrbias.files import write_whole
from asrbias.joint import JointOptions
from asrbias.lm import LanguageModel
from asrbias.loading import find_language_model, find_model, load, own_decode_options
from asrbias.recognizer import Recognizer
from asrbias.score import Score
from asrbias.significance import BootstrapOptions, Comparison, compare
from asrbias.techniques import Setup

HEARS = ("audio", "features", "encoder", "adapter", "model")  # modules that posteriors depend on


@dataclass(frozen=True, kw_only=True, eq=False)
class Speech:
    """Recordings with what is said and listed, and what a model makes of them."""

    corpus: Corpus
    recognizer: Recognizer
    runs: Runs
    full: Setup  # the recognizer as it is shipped
    listen: Callable[[], list[Encoded]]
    decode: Callable[[Corpus, Callable[[], list[Encoded]]], Runs]

    @classmethod
    def of(
        cls, arguments: argparse.Namespace, *, most: int, manifest: Path | None = None, distractors: Path | None = None
    ) -> Speech:
        """Of `arguments` as page.parser reads them: speech/test, or another manifest; the first `most` distractors."""
        torch.set_num_threads(arguments.threads)
        shared = arguments.shared / "speech"
        corpus = Corpus.read(
            manifest or shared / "test/manifest.jsonl", distractors or shared / "distractors.txt", most
        )
        if arguments.limit:
            step = max(1, len(corpus.lines) // arguments.limit)
            corpus = replace(corpus, lines=corpus.lines[::step][: arguments.limit])
        folder = find_model(arguments.model)
        lm = find_language_model(folder)
        recognizer = load(folder, lm=None)
        kept = _Kept(arguments.output / "encoded", recognizer, corpus, folder)
        decoder = decoders(recognizer, LanguageModel.read(lm) if lm is not None else None)
        made_from = [model_digest(folder), program()]

        def decode(corpus: Corpus, listen: Callable[[], list[Encoded]]) -> Runs:
            return Runs(
                arguments.output,
                corpus,
                encode=listen,
                decoder=decoder,
                adapter=adapters(recognizer),
                made_from=made_from,
                frame=recognizer.model.seconds_per_frame,
                threads=arguments.threads,
            )

        full = Setup(options=own_decode_options(folder) or JointOptions(), lm=lm is not None)
        runs = decode(corpus, kept)
        return cls(corpus=corpus, recognizer=recognizer, runs=runs, full=full, listen=kept, decode=decode)

    def every(self, step: int) -> Speech:
        """Every so many of the recordings, for what would take too long with all of them."""
        corpus = replace(self.corpus, lines=self.corpus.lines[::step])

        def listen() -> list[Encoded]:
            return self.listen()[::step]

        return replace(self, corpus=corpus, runs=self.decode(corpus, listen), listen=listen)

    def score(self, setup: Setup, condition: Condition, *, listed: bool = True) -> Score:
        """Under a condition; not `listed`: decoded without a list, judged by the same list."""
        setting = Setting(name="table", kind="all", setup=setup)
        print(f"{condition if listed else 'no list'}", flush=True)
        return judge(self.corpus, self.runs.texts(setting, condition if listed else None), condition)

    @property
    def hours(self) -> float:
        return sum(float(line.fields.get("duration") or 0) for line in self.corpus.lines) / 3600


@dataclass(frozen=True, eq=False)
class _Kept:
    """Encodes, or reads what was encoded before."""

    folder: Path
    recognizer: Recognizer
    corpus: Corpus
    model: Path

    def __call__(self) -> list[Encoded]:
        package = Path(load.__code__.co_filename).parent
        weights = [p for p in sorted(self.model.iterdir()) if p.name in ("model.safetensors", "config.json")]
        made = [digest([*weights, *(package / f"{name}.py" for name in HEARS)]), self.corpus.digest,
                self.recognizer.model.adapter is not None]  # fmt: skip
        path = self.folder / f"{hashlib.sha256(json.dumps(made).encode()).hexdigest()[:16]}.safetensors"
        if not path.is_file():
            write_whole(path, save(_tensors(encode(self.recognizer, self.corpus))))
        tensors = load_file(path)
        return [_encoded(tensors, n) for n in range(len(self.corpus.lines))]


def _tensors(encoded: Iterable[Encoded]) -> dict[str, torch.Tensor]:
    found = {}
    for n, one in enumerate(encoded):
        assert one.phones is not None
        found |= {f"labels{n}": torch.from_numpy(np.ascontiguousarray(one.log_probs)),
                  f"phones{n}": torch.from_numpy(np.ascontiguousarray(one.phones)),
                  f"seconds{n}": torch.tensor(one.seconds, dtype=torch.float64)}  # fmt: skip
        found |= {f"hidden{n}-{k}": level.cpu().contiguous() for k, level in enumerate(one.hidden)}
    return found


def _encoded(tensors: dict[str, torch.Tensor], n: int) -> Encoded:
    levels = []
    while (level := tensors.get(f"hidden{n}-{len(levels)}")) is not None:
        levels.append(level)
    labels, phones = (tensors[f"{kind}{n}"].numpy() for kind in ("labels", "phones"))
    return Encoded(labels, phones, float(tensors[f"seconds{n}"]), tuple(levels))


def at_bias(setup: Setup, bias: float) -> Setup:
    """The same with the dial at `bias`."""
    options = setup.options
    return replace(setup, options=replace(options, decode=replace(options.decode, bias=bias)))


def differences(first: Score, second: Score, options: BootstrapOptions | None = None) -> dict[str, Comparison]:
    """First minus second, by metric."""
    found = compare(first.utterances, second.utterances, options or BootstrapOptions())[2]
    return {one.metric: one for one in found}


def signed(one: Comparison | None, digits: int = 1) -> str:
    """A difference with its interval."""
    if one is None:
        return "–"
    low, high = one.interval.low, one.interval.high
    return f"{one.difference:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def described(speech: Speech) -> str:
    """What was decoded, for a page."""
    lines = speech.corpus.lines
    words = sum(len(str(line.fields["text"]).split()) for line in lines)
    entities = sum(len(speech.corpus.own(line)) for line in lines)
    speakers = {line.fields.get("speaker") for line in lines}
    return (
        f"{len(lines)} recordings, {speech.hours:.2f} h, {len(speakers)} speakers, {words:,} words, "
        f"{entities:,} entities"
    )
