"""Texts of each system under each condition, kept in a folder: an interrupted run goes on, a new system adds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posteriors import Posteriors
from system import Condition, Lists, Setting, judge, made_from, make, run

from asrbias.files import write_whole
from asrbias.score import Score


@dataclass(frozen=True, eq=False)
class Contestant:
    """A row of the table: a decoder and its weights, which may differ by the number of distractors."""

    name: str
    system: str
    options: Mapping[str, Any]  # for every condition
    by_count: Mapping[int, Mapping[str, Any]]  # instead, for lists of so many distractors or fewer

    def options_for(self, condition: Condition) -> Mapping[str, Any]:
        """Without a list, those of the shortest list: weights of lists do not matter then."""
        counts = sorted(self.by_count)
        if not counts:
            return self.options
        wanted = condition.count if condition.count is not None else 0
        return self.by_count[next((count for count in counts if count >= wanted), counts[-1])]


LONG = 10_000  # distractors: such lists take seconds to make ready, so `every` holds for them


@dataclass(frozen=True, eq=False)
class Results:
    """Runs what is not in the folder yet; with long lists each `every`-th utterance only."""

    folder: Path
    posteriors: Posteriors
    setting: Setting
    lists: Lists
    every: int = 1

    def heard(self, condition: Condition) -> Posteriors:
        """The utterances that a condition is measured on."""
        return self.posteriors.every(self.every if (condition.count or 0) >= LONG else 1)

    def texts(self, contestant: Contestant, condition: Condition) -> list[str]:
        options, heard = contestant.options_for(condition), self.heard(condition)
        made = made_from(contestant.system, options, self.setting, heard)
        key = [contestant.system, sorted(options.items()), str(condition), made]
        path = self.folder / f"{hashlib.blake2b(json.dumps(key).encode(), digest_size=8).hexdigest()}.json"
        if path.exists():
            return list(json.loads(path.read_text(encoding="utf-8"))["texts"])
        system = make(contestant.system, self.setting, options)
        texts = run([system], heard, self.lists, condition)[0].texts
        write_whole(path, json.dumps({"key": key, "texts": texts}, ensure_ascii=False, indent=0).encode())
        print(f"{contestant.name}: {condition}", flush=True)
        return texts

    def score(self, contestant: Contestant, condition: Condition) -> Score:
        return judge(self.texts(contestant, condition), self.heard(condition), self.lists, condition)

    def time(self, contestant: Contestant, condition: Condition, seconds: float) -> tuple[float, float]:
        """Seconds of processor time an hour of audio: for making the lists ready, and for decoding; no short cuts.

        Utterances are drawn until `seconds` are spent. Raises SystemExit where the short cuts changed a text.
        """
        slow = Setting(self.setting.vocabulary, self.setting.arpa, self.setting.phrases)
        system = make(contestant.system, slow, contestant.options_for(condition))
        heard = self.heard(condition)
        expected = dict(zip((u.id for u in heard.utterances), self.texts(contestant, condition), strict=True))
        listing = decoding = audio = 0.0
        for utterance in heard.sample(len(heard.utterances) - 1, seed=1).utterances:
            one = Posteriors((utterance,), self.posteriors.vocabulary, "")
            part = run([system], one, self.lists, condition)[0]
            if part.texts[0] != expected[utterance.id]:
                raise SystemExit(f"{contestant.name}, {condition}, {utterance.id}: the short cut changes the text.")
            listing, decoding = listing + part.prepare_seconds, decoding + part.decode_seconds
            audio += utterance.duration
            if listing + decoding > seconds:
                break
        return 3600 * listing / audio, 3600 * decoding / audio
