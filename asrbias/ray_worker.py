"""What a worker of a Ray cluster does with a manifest: it has a recognizer, and transcribes blocks of lines."""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrbias.entities import EntityList
from asrbias.errors import sentence
from asrbias.manifest import output_rows
from asrbias.manifestlines import ManifestLine, read_line
from asrbias.manifestlists import ManifestLists
from asrbias.phrases import Unusable
from asrbias.ray_cluster import ClusterError

if TYPE_CHECKING:
    from asrbias.recognizer import Recognizer

TRIES = 3  # of a block, of which each killed its worker
DIED = "died"  # an answer's `failed` after so many


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every worker has to know; it is sent to them."""

    recognizer: Callable[[], Recognizer]
    fingerprint: Callable[[], str]  # of the model, which a worker may find to be another of that name
    expected: str  # what `fingerprint` gave here
    manifest: Path
    folder: Path | None  # that paths are relative to; None: there are no such paths
    entities: EntityList | None
    no_list: bool
    cpus: int


class Ledger:
    """How many workers began with something and did not end. A single actor keeps it."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def begin(self, what: str) -> int:
        """The number of this try, from 1."""
        self.begun[what] += 1
        return self.begun[what]

    def end(self, what: str) -> None:
        self.begun.pop(what, None)


class Worker:
    """One of the cluster's processes, as Ray Data's map_batches makes them."""

    def __init__(self, work: Work, ledger: Any) -> None:
        import ray

        self.ray, self.ledger, self.manifest = ray, ledger, work.manifest
        self.lists = _Lists(work.manifest, work.entities, [], no_list=work.no_list)
        self.failed = ""  # said for each block, as an error here would only have Ray start another worker
        loading = f"load {ray.get_runtime_context().get_actor_id()}"  # which stays when it is started again
        try:
            if self._begin(loading) > TRIES:
                raise ClusterError(f"Workers died while they loaded the model, {TRIES} times; is there memory enough?")
            self.recognizer = make_recognizer(work)
        except (OSError, ValueError, TypeError, MemoryError) as error:
            self.failed = sentence(error)
        self._end(loading)

    def __call__(self, batch: Any) -> Any:
        import pyarrow

        (text,) = batch.column("block").to_pylist()
        return pyarrow.table({"answer": [json.dumps(self._answer(text))]})

    def _answer(self, text: str) -> dict[str, Any]:
        lines = [read_line(self.manifest, number, json.dumps(fields)) for number, fields in json.loads(text)]
        block = f"block {lines[0].number}"
        tries = self._begin(block)
        failed = self.failed or (DIED if tries > TRIES else "")
        rows: list[dict[str, Any]] = []
        self.lists.begin()
        if not failed:
            try:
                rows = list(output_rows(self.recognizer, lines, self.lists, print))
            except (OSError, ValueError, MemoryError) as error:
                failed = sentence(error)
        self._end(block)
        return {"first": lines[0].number, "failed": failed, "tries": tries, "rows": rows, "unusable": self.lists.found}

    def _begin(self, what: str) -> int:
        return int(self.ray.get(self.ledger.begin.remote(what)))

    def _end(self, what: str) -> None:
        self.ray.get(self.ledger.end.remote(what))


class _Lists(ManifestLists):
    """Keeps what cannot be found, for who gave the command to say it."""

    def __init__(self, manifest: Path, common: EntityList | None, lines: list[ManifestLine], *, no_list: bool) -> None:
        super().__init__(manifest, common, lines, no_list=no_list)
        self.found: list[tuple[int, list[tuple[int, str, str]]]] = []

    def begin(self) -> None:
        """A block, which says all it has: nobody knows which block is done first."""
        self.found.clear()
        self._told.clear()

    def said_unusable(self, line: ManifestLine, unusable: Sequence[Unusable]) -> None:
        new = [one for one in unusable if one.phrase not in self._told]
        self._told.update(one.phrase for one in new)
        if new:
            self.found.append((line.number, [(one.entity, one.phrase, one.reason) for one in new]))


def make_recognizer(work: Work) -> Recognizer:
    """What a worker transcribes with. Raises ClusterError where its machine differs, and what `recognizer` raises."""
    import torch

    if work.folder is not None:
        try:
            os.chdir(work.folder)  # so that paths mean here what they mean there
        except OSError as error:
            raise ClusterError(
                f"{socket.gethostname()} has no folder {work.folder}, to which paths are relative; all machines must "
                "see the same files: give the command in a folder that they share, or with a manifest's full path."
            ) from error
    torch.set_num_threads(work.cpus)
    recognizer = work.recognizer()
    if work.fingerprint() != work.expected:
        raise ClusterError(f"{socket.gethostname()} has another model of that name; make them the same.")
    recognizer.options = replace(recognizer.options, threads=work.cpus)
    return recognizer
