"""From prepared manifests to a model with an adapter: what the stages `lm`, `train` and `adapter` of a recipe do.

shards/ tokens/   packed speech, vocabulary
base/             the base: subword heads in the middle and a phone head
spelling/         the base with a bottleneck of phones (docs/training.md), trained on with speech and text
model/            in half precision, with adapter and tuned decode.json: what `asrbias transcribe --model` takes
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

from corpus.commands import RECIPES, asrbias, script, train
from corpus.config import Config, Machine, flags
from corpus.lines import read_lines, write_lines
from corpus.sentences import SentenceOptions, write_sentences
from corpus.stages import once, say

from asrbias.tokens import SENTENCEPIECE_FILE, Vocabulary, train_sentencepiece

STARTER = RECIPES.parent / "asrbias" / "models" / "starter"
TABLES = ("tokens", "base", "bank", "bottleneck", "sentences", "spelling")  # that the stage `train` reads


class Learning:
    """In the working folder of a recipe whose manifests/ are prepared."""

    def __init__(self, work: Path, config: Config, judged_by: str = "names") -> None:
        """`judged_by`: the kind of distractors in the lists of dev, which adapter and weights are judged by."""
        self.work, self.config, self.judged_by = work, config, judged_by
        self.machine = config.fields("machine", Machine)
        self.shards = {name: work / "shards" / name for name in ("train", "dev")}

    def language_model(self) -> None:
        """lm.npz of the training transcripts, and of other texts that the config names."""
        options = self.config.options("lm")
        texts = [self.work / "manifests" / "train.jsonl", *options.pop("texts")]
        held_out = self.work / "manifests" / "dev.jsonl"
        asrbias("lm", *texts, "-o", self.work / "lm.npz", "--held-out", held_out, *flags(options))

    def train(self) -> None:
        """The base, then with a bottleneck, then in half precision."""
        for name, shard in self.shards.items():
            manifest = self.work / "manifests" / f"{name}.jsonl"
            once(shard.with_suffix(".jsonl"), lambda m=manifest, s=shard: asrbias("pack", m, s))  # type: ignore[misc]
        once(self.work / "tokens" / SENTENCEPIECE_FILE, self._tokens)
        self._train("base", "--tokens", self.work / "tokens")
        self._bank("base")
        once(self.work / "sentences.txt.gz", self._sentences)
        start = self.work / "start"
        shape = flags(self.config.options("bottleneck"))
        once(
            start / "config.json",
            lambda: script("starter/phone_bottleneck.py", self.work / "base", *shape, "-o", start),
        )
        self._train("spelling", "--init", start, *self._written("base"))
        model = self.work / "model"
        once(model / "config.json", lambda: script("starter/ship.py", self.work / "spelling", "--output", model))

    def adapter(self) -> None:
        """An adapter for model/, put into it; then the weights of joint decoding with it."""
        model, runs = self.work / "model", self.work / "adapter"
        self._bank("model")
        if not (runs / "finished").exists():
            judged = ["--dev", self._shards("dev"), "--distractors", self._distractors()]
            options = [*flags(self.config.options("adapter")), "--device", self.machine.device]
            asrbias("train", "adapter", model, "--output", runs, *self._written("model"), *judged, *options)
            (runs / "finished").touch()
        script("starter/ship_adapter.py", runs, "--model", model)
        if not (model / "decode.json").exists():
            shutil.copy(STARTER / "decode.json", model / "decode.json")
        self._tune(model)

    def _tune(self, model: Path) -> None:
        """decode.json by `asrbias tune` on some utterances of dev, from the starter's."""
        options = self.config.options("tune")
        count, manifest = int(options.pop("utterances")), self.work / "tune" / "dev.jsonl"
        if not count:
            say(f"{model / 'decode.json'} is the starter's: [tune] has no utterances")
            return
        rows = read_lines(self.work / "manifests" / "dev.jsonl")
        write_lines(manifest, random.Random(1).sample(rows, min(count, len(rows))))
        asrbias(
            "tune", manifest, "--distractors", self._distractors(), "--output", manifest.parent, "--write", model,
            "--model", model, "--lm", self.work / "lm.npz", "--device", self.machine.device, *flags(options),
        )  # fmt: skip

    def _distractors(self) -> Path:
        return self.work / "manifests" / f"distractors-{self.judged_by}.txt"

    def _shards(self, name: str) -> Path:
        return self.shards[name].with_suffix(".jsonl")

    def _tokens(self) -> None:
        texts = [row["text"] for row in read_lines(self.work / "manifests" / "train.jsonl")]
        size = int(self.config.options("tokens")["size"])
        Vocabulary.from_sentencepiece(train_sentencepiece(texts, size)).save(self.work / "tokens")

    def _sentences(self) -> None:
        rows = read_lines(self.work / "manifests" / "train.jsonl")
        path = self.work / "sentences.txt.gz"
        options = self.config.fields("sentences", SentenceOptions)
        say(f"{path}: {write_sentences(path, rows, options)} different sentences of {options.count}")

    def _train(self, name: str, *arguments: object) -> None:
        """`asrbias train` with the options of the table `name`, into the folder `name`; goes on where it stopped."""
        output = self.work / name
        if (output / "finished").exists():
            say(f"  {output}: there already")
            return
        data = ["--data", self._shards("train"), "--dev", self._shards("dev"), "--output", output]
        train(self.machine, self.config.options(name), *data, *arguments)
        (output / "finished").touch()

    def _written(self, name: str) -> list[Any]:
        """What simulated speech is made of."""
        return ["--sentences", self.work / "sentences.txt.gz", "--phone-bank", self.work / f"bank-{name}.npz"]

    def _bank(self, name: str) -> None:
        """Phone posteriors of a model on a part of the training speech (recipes/starter/phone_bank.py; on the CPU)."""
        options = self.config.options("bank")
        hours = float(options.pop("hours"))
        bank = self.work / f"bank-{name}.npz"
        there = sum(row["duration"] for row in read_lines(self.work / "manifests" / "train.jsonl")) / 3600
        data = f"{self._shards('train')}={min(1.0, hours / there):.4f}"
        given = [self.work / name, data, "--dev", self._shards("dev"), *flags(options), "-o", bank]
        once(bank, lambda: script("starter/phone_bank.py", *given))
