"""Recordings encoded once and decoded many times; what is finished is kept in a folder and not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from asrbias.ablation_settings import Setting
from asrbias.entities import Entity, EntityList
from asrbias.files import write_whole
from asrbias.hypothesis import Hypothesis
from asrbias.manifest import ManifestError, ManifestLine, read_manifest
from asrbias.techniques import Setup, uses_list
from asrbias.transcript import build_transcript

BLOCK = 16  # recordings decoded together: so many lists are in memory at once
HYPOTHESES = "hypotheses"  # the folder of finished settings


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Which list an utterance gets: its own entities and the first `count` distractors, or these alone."""

    count: int
    own: bool = True

    def __str__(self) -> str:
        return f"own entities and {self.count:,} distractors" if self.own else f"{self.count:,} distractors alone"


@dataclass(frozen=True, eq=False)
class Encoded:
    """A recording as the decoder sees it."""

    log_probs: npt.NDArray[np.float32]  # [T, V] natural logarithms
    phones: npt.NDArray[np.float32] | None  # [T, P] of the phone head
    seconds: float
    hidden: tuple[Any, ...] = ()  # [T, D] each, what an adapter reads


class Decodes(Protocol):
    """JointDecoder, as far as it is needed here."""

    def decode_batch(
        self, log_probs: Sequence[Any], phone_log_probs: Sequence[Any], entities: Any, threads: int | None = None,
        adapted: Sequence[Any] | None = None,
    ) -> list[list[Hypothesis]]: ...


@dataclass(frozen=True, eq=False)
class Corpus:
    """What is said, and the lists that are made of it."""

    lines: tuple[ManifestLine, ...]
    distractors: tuple[str, ...]

    @classmethod
    def read(cls, manifest: Path, distractors: Path | None, most: int) -> Corpus:
        """Raises ManifestError for a line without text or with wrong `entities`, and for too few distractors."""
        lines = read_manifest(manifest)
        for line in lines:
            text, own = line.fields.get("text"), line.fields.get("entities", [])
            if not isinstance(text, str) or not text.strip():
                raise ManifestError(f"{manifest}:{line.number} has no `text`; its figures need what was said.")
            if not isinstance(own, list) or not all(isinstance(phrase, str) for phrase in own):
                raise ManifestError(f"{manifest}:{line.number}: `entities` is {own!r}; write a JSON array of phrases.")
            EntityList(own)  # what is wrong with them is said before anything is decoded
        if not any(line.fields.get("entities") for line in lines):
            raise ManifestError(f"{manifest}: no line has `entities`; without them no technique has anything to find.")
        phrases: list[str] = []
        if distractors is not None:
            phrases = [entity.phrase for entity in EntityList.read(distractors)]
        if len(phrases) < most:
            where = (
                f"{distractors} has {len(phrases):,} phrases" if distractors is not None else "there is no file of them"
            )
            raise ManifestError(
                f"{most:,} distractors are asked for, but {where}; give a longer --distractors or smaller sizes."
            )
        return cls(tuple(lines), tuple(phrases[:most]))

    def own(self, line: ManifestLine) -> tuple[str, ...]:
        return tuple(line.fields.get("entities", ()))

    def lists(self, condition: Condition, only: Sequence[int] | None = None) -> Iterator[EntityList]:
        """The list of each line, or of those in these places; distractors alone are one object."""
        others = [Entity(phrase) for phrase in self.distractors[: condition.count]]
        alone = EntityList(others)
        for line in self.lines if only is None else (self.lines[place] for place in only):
            yield EntityList([*self.own(line), *others]) if condition.own else alone

    @property
    def digest(self) -> str:
        """Tells it from others: recordings by their path, size and time of change."""
        stats = [line.audio.stat() for line in self.lines]
        rows = [[line.id, str(line.audio.resolve()), s.st_size, s.st_mtime_ns, line.part, list(self.own(line))]
                for line, s in zip(self.lines, stats, strict=True)]  # fmt: skip
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


class Runs:
    """Hypotheses of settings; what the folder has, of the same recordings, model and options, is taken from there.

    Args:
        folder: where finished settings are kept, each a file written whole.
        encode: all recordings, called once and only if there is something to decode.
        decoder: of a setup.
        adapter: of a setup that has one on: what it makes of a recording's posteriors with a list.
        made_from: what hypotheses depend on beside setup and lists: the model, the program.
        frame: seconds.
    """

    def __init__(
        self,
        folder: Path,
        corpus: Corpus,
        *,
        encode: Callable[[], Sequence[Encoded]],
        decoder: Callable[[Setup], Decodes],
        adapter: Callable[[Setup], Callable[[Encoded, EntityList], Any]] | None = None,
        made_from: Sequence[str],
        frame: float,
        threads: int | None = None,
    ) -> None:
        self.folder, self.corpus, self.threads = folder, corpus, threads
        self._encode, self._decoder, self._adapter, self._frame = encode, decoder, adapter, frame
        self._made_from = [*made_from, corpus.digest]
        self._encoded: Sequence[Encoded] | None = None

    def texts(self, setting: Setting, condition: Condition | None) -> list[str]:
        """What each line was heard as, in display form; a condition of None is no list.

        A setting that uses no list is decoded once for all of them.
        """
        listed = condition if uses_list(setting.setup) else None
        path = self.folder / HYPOTHESES / f"{self._key(setting, listed)}.json"
        if path.is_file():
            return [str(text) for text in json.loads(path.read_text(encoding="utf-8"))["hypotheses"].values()]
        found = list(self._decode(setting, listed))
        kept = dict(zip((line.id for line in self.corpus.lines), found, strict=True))
        about = {"setting": setting.name, "list": None if listed is None else str(listed), "hypotheses": kept}
        write_whole(path, json.dumps(about, ensure_ascii=False, indent=1).encode())
        return found

    def _key(self, setting: Setting, condition: Condition | None) -> str:
        phrases = [] if condition is None else [condition.own, *self.corpus.distractors[: condition.count]]
        content = [self._made_from, setting.setup.options.to_json(), setting.setup.lm, phrases]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def _decode(self, setting: Setting, condition: Condition | None) -> Iterator[str]:
        if self._encoded is None:
            self._encoded = self._encode()
        decoder = self._decoder(setting.setup)
        adapt = self._adapter(setting.setup) if self._adapter and setting.setup.options.adapter is not None else None
        lists = self.corpus.lists(condition) if condition is not None else iter([None] * len(self._encoded))
        for start in range(0, len(self._encoded), BLOCK):
            block = self._encoded[start : start + BLOCK]
            some = [next(lists) for _ in block]
            pairs = zip(block, some, strict=True)
            adapted = [adapt(one, listed) if adapt and listed else None for one, listed in pairs]
            log_probs, phones = [one.log_probs for one in block], [one.phones for one in block]
            found = decoder.decode_batch(log_probs, phones, some, threads=self.threads, adapted=adapted)
            for nbest, listed, one in zip(found, some, block, strict=True):
                yield build_transcript(nbest, listed, self._frame, one.seconds, 1).text
