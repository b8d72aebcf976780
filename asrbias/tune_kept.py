"""What was computed once for the options that it depends on: `Kept` for an utterance each, `Few` as a whole."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Generic, TypeVar

from asrbias.ablation_runs import BLOCK

Made = TypeVar("Made")
KEPT = 4_000  # utterances for which something is kept, of each step
KEPT_LISTS = 4_000  # compiled lists: a megabyte each, of 1,000 phrases; one for all utterances where it is the same


class Kept:
    """Results by key and utterance; what was asked for longest ago goes first."""

    def __init__(self, most: int = KEPT) -> None:
        self._most, self._rows = most, OrderedDict[Any, dict[int, Any]]()

    def each(self, key: Any, wanted: Sequence[int], make: Callable[[list[int]], Iterable[Any]]) -> list[Any]:
        """For each utterance wanted; `make` gives those that are missing, in order."""
        rows = self._rows.setdefault(key, {})
        self._rows.move_to_end(key)
        missing = [n for n in wanted if n not in rows]
        for n, made in zip(missing, make(missing) if missing else (), strict=True):
            rows[n] = made
        while len(self._rows) > 1 and sum(map(len, self._rows.values())) > self._most:
            self._rows.popitem(last=False)
        return [rows[n] for n in wanted]


class Few(Generic[Made]):
    """The last few of what is dear to make."""

    def __init__(self) -> None:
        self._made = OrderedDict[Any, Made]()

    def get(self, key: Any, make: Callable[[], Made]) -> Made:
        if key not in self._made:
            self._made[key] = make()
        self._made.move_to_end(key)
        while len(self._made) > 4:
            self._made.popitem(last=False)
        return self._made[key]


def blocks(some: Sequence[int]) -> Iterator[Sequence[int]]:
    """So many are decoded together, and held in memory at once."""
    return (some[start : start + BLOCK] for start in range(0, len(some), BLOCK))


def key_of(options: Any) -> str:
    """Tells options from others."""
    return "null" if options is None else json.dumps(asdict(options), sort_keys=True)
