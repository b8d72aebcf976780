"""What a system under test is, and how it is run: lists by the protocol, texts, processor time, scores."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from posteriors import Posteriors, Utterance

import asrbias
from asrbias.entities import EntityList
from asrbias.score import Score, ScoreOptions, score_utterances
from asrbias.score import Utterance as Scored
from asrbias.tokens import Vocabulary


@dataclass(frozen=True, eq=False)
class List:
    """The list of one utterance, as a user writes it and as systems without our text rules need it."""

    entities: tuple[str, ...]
    own: tuple[str, ...]  # matching forms of the utterance's own entities, each once
    others: tuple[str, ...]  # those of the distractors, each once; the same object in all lists of one length

    @cached_property
    def phrases(self) -> tuple[str, ...]:
        """All matching forms, each once, short ones first."""
        return tuple(sorted({*self.own, *self.others}, key=lambda form: (len(form), form)))


@dataclass(frozen=True, eq=False)
class Setting:
    """What all systems share."""

    vocabulary: Vocabulary
    arpa: Path | None = None  # language model, for those that are told to use one
    phrases: frozenset[str] = frozenset()  # every phrase of any list: flashlight's words must be known beforehand
    fast: bool = False  # take the short cuts that change a system's time but not its texts

    @cached_property
    def arpa_digest(self) -> str:
        return hashlib.blake2b(self.arpa.read_bytes() if self.arpa is not None else b"", digest_size=8).hexdigest()


class System(Protocol):
    """One decoder with its weights."""

    @property
    def shares(self) -> Hashable:
        """Systems of one kind for which this is equal can decode with each other's prepared lists."""

    def prepare(self, listed: List | None) -> Any:
        """The list made ready; None for no list. Only the last one made need stay valid."""

    def decode(self, utterance: Utterance, prepared: Any) -> str:
        """The text, in matching form."""


class Lists:
    """The lists of the protocol: an utterance's own entities and the first N distractors, or these alone."""

    def __init__(self, distractors: Sequence[str], charset: frozenset[str]) -> None:
        self.distractors = tuple(distractors)
        self._charset = charset
        self._forms: dict[str, tuple[str, ...]] = {}
        self._others: dict[int, tuple[str, ...]] = {}

    def forms(self, entity: str) -> tuple[str, ...]:
        """The spoken forms of one entity."""
        if entity not in self._forms:
            self._forms[entity] = EntityList([entity]).forms(self._charset).texts
        return self._forms[entity]

    def make(self, own: Sequence[str], count: int) -> List:
        if count not in self._others:
            self._others[count] = self._all(self.distractors[:count])
        return List((*own, *self.distractors[:count]), self._all(own), self._others[count])

    def _all(self, entities: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(form for entity in entities for form in self.forms(entity)))

    def all_phrases(self, utterances: Sequence[Utterance]) -> frozenset[str]:
        return frozenset(self._all([*self.distractors, *(e for u in utterances for e in u.entities)]))


@dataclass(frozen=True)
class Condition:
    """Which lists: `count` distractors, with the utterance's own entities or without; a count of None for no list."""

    count: int | None
    own: bool = True

    def __str__(self) -> str:
        return "none" if self.count is None else f"{'own' if self.own else 'alone'}-{self.count}"

    @classmethod
    def parse(cls, text: str) -> Condition:
        kind, _, count = text.partition("-")
        if text == "none":
            return cls(None)
        if kind not in ("own", "alone") or not count.isdecimal():
            raise SystemExit(f"{text!r} is no condition; write none, own-N or alone-N, such as own-100.")
        return cls(int(count), kind == "own")


@dataclass(eq=False)
class Run:
    """What came out of one system. Times are of this thread's processor, in seconds."""

    texts: list[str] = field(default_factory=list)
    prepare_seconds: float = 0.0
    decode_seconds: float = 0.0


def each_list(utterances: Sequence[Utterance], lists: Lists, condition: Condition) -> Iterator[List | None]:
    """The list of each utterance; distractors alone are one object, so that systems may keep what they make of it."""
    alone = lists.make((), condition.count or 0)
    for utterance in utterances:
        own = condition.own and condition.count is not None
        yield None if condition.count is None else lists.make(utterance.entities, condition.count) if own else alone


def run(systems: Sequence[System], posteriors: Posteriors, lists: Lists, condition: Condition) -> list[Run]:
    """Every utterance by every system, each with its list made ready anew (but distractors alone: once).

    Several systems must have the same `shares`: they decode with the lists that the first makes ready.
    """
    assert len({system.shares for system in systems}) == 1
    runs = [Run() for _ in systems]
    last: object = runs
    prepared: Any = None
    everything = zip(posteriors.utterances, each_list(posteriors.utterances, lists, condition), strict=True)
    for utterance, listed in everything:
        if listed is not last:
            start = time.thread_time()
            prepared, last = systems[0].prepare(listed), listed
            runs[0].prepare_seconds += time.thread_time() - start
        for system, one in zip(systems, runs, strict=True):
            start = time.thread_time()
            one.texts.append(system.decode(utterance, prepared))
            one.decode_seconds += time.thread_time() - start
    for one in runs:
        one.prepare_seconds = runs[0].prepare_seconds
    return runs


def judge(texts: Sequence[str], posteriors: Posteriors, lists: Lists, condition: Condition) -> Score:
    """F1, WER and false hits; the scorer takes own entities and distractors together for the list."""
    listed = lists.distractors[: condition.count or 0]
    return score_utterances(
        [
            Scored(
                id=utterance.id,
                reference=utterance.text,
                hypothesis=text,
                entities=utterance.entities,
                list=listed,
                duration=utterance.duration,
                fields=utterance.fields,
            )
            for utterance, text in zip(posteriors.utterances, texts, strict=True)
        ],
        ScoreOptions(),
    )


def figures(score: Score) -> dict[str, float | None]:
    """The numbers of a table's row, in percent."""
    t = score.totals
    found = {"f1": t.entities.f1, "precision": t.entities.precision, "recall": t.entities.recall}
    return {**found, "wer": t.wer.error_rate, "false_hits": t.false_hits_per_1000_words}


def made_from(system: str, options: Mapping[str, Any], setting: Setting, posteriors: Posteriors) -> list[str]:
    """What a result is made from beside the options: a result made from something else is not used again."""
    digests = [posteriors.digest]
    if options.get("lm") or system == "flashlight":
        digests.append(setting.arpa_digest)
    if system == "ours":  # which changes; peers stand still (setup.sh)
        folder = Path(asrbias.__file__).parent
        files = sorted([*folder.glob("*.py"), *folder.glob("_core*")])
        digests.append(hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=8).hexdigest())
    return digests


def as_arpa(model: Path | None, folder: Path) -> Path | None:
    """The model as ARPA text, which the peers read; of an .npz of ours a copy in `folder`."""
    if model is None or model.suffix != ".npz":
        return model
    from asrbias.compactlm import read_compact

    arpa = folder / f"{model.stem}.arpa"
    arpa.parent.mkdir(parents=True, exist_ok=True)
    read_compact(model).write_arpa(arpa)
    return arpa


Factory = Callable[[Setting, Mapping[str, Any]], System]


def make(name: str, setting: Setting, options: Mapping[str, Any]) -> System:
    """A system by its name; each lives in a module of its own, imported when asked for."""
    from importlib import import_module

    homes = {"ours": "ours", "pyctcdecode": "pyctcdecode_peer", "flashlight": "flashlight_peer"}
    homes |= {"spotter": "spotter_peer", "greedy": "spotter_peer"}
    if name not in homes:
        raise SystemExit(f"There is no system {name!r}; choose one of {', '.join(homes)}.")
    factory: Factory = getattr(import_module(homes[name]), f"make_{name}")
    return factory(setting, options)
