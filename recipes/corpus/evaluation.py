"""Decoding test sets with lists and scoring them, a JSON file a run; what the table is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpus.commands import asrbias, asrbias_json, script
from corpus.config import Config, Machine, flags
from corpus.lines import read_lines, write_lines
from corpus.stages import once, say

from asrbias.files import write_whole


class Evaluation:
    """In the working folder of a recipe with a model/: lists/ are what is decoded, runs/ what came of it."""

    def __init__(self, work: Path, config: Config) -> None:
        self.work = work
        self.transcribe_options = config.options("transcribe")
        self.score_options = config.options("score")
        self.device = config.fields("machine", Machine).device

    def list_manifest(self, test: str, kind: str, count: int) -> Path:
        """Manifest of a test set whose lists are an utterance's own entities of a kind and `count` distractors.

        The protocol of docs/scoring.md, by recipes/starter/lists.py.
        """
        path = self.work / "lists" / f"{test}-{kind}-{count}.jsonl"
        own = self.work / "manifests" / f".{test}-{kind}.jsonl"  # where its audio paths hold
        rows = read_lines(self.work / "manifests" / f"{test}.jsonl")
        write_lines(own, ({**row, "entities": row[kind]} for row in rows))
        phrases = self.work / "manifests" / f"distractors-{kind}.txt"
        script("starter/lists.py", own, "--distractors", phrases, "--count", count, "--output", path)
        own.unlink()
        return path

    def run_path(self, name: str) -> Path:
        return self.work / "runs" / f"{name}.jsonl"

    def decode(self, name: str, manifest: Path, *, no_list: bool = False) -> Path:
        """Transcribe a manifest into runs/NAME.jsonl, unless it is there; an interrupted run goes on."""
        output = self.run_path(name)
        given = ["--model", self.work / "model", "--lm", self.work / "lm.npz", "--device", self.device]
        given += [*flags(self.transcribe_options), *(["--no-list"] if no_list else [])]
        once(output, lambda: asrbias("transcribe", "--manifest", manifest, "--output", output, *given))
        return output

    def score(self, name: str, *arguments: object) -> dict[str, Any]:
        """What `asrbias score --json ARGUMENTS` says, kept in results/NAME.json."""
        printed = asrbias_json("score", *arguments, "--json", *flags(self.score_options))
        write_whole(self.work / "results" / f"{name}.json", printed.encode())
        say(f"  scored {name}")
        content: dict[str, Any] = json.loads(printed)
        return content
