"""Manifests written by a recipe, and the lines of a corpus that could not be used, counted and named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corpus.errors import RecipeError
from corpus.stages import say

from asrbias.files import write_whole

_PARTICULAR = re.compile(r"'[^']*'|\S*\d\S*")  # what differs between lines that are left out for the same reason


@dataclass(frozen=True)
class Unusable:
    """A line of a corpus that is left out."""

    place: str  # file:line
    id: str
    why: str


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON lines, whole or not at all; returns how many."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    write_whole(path, "".join(lines).encode())
    return len(lines)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a manifest that a recipe wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_split(path: Path, rows: list[dict[str, Any]]) -> None:
    """A split's manifest, and a line about it. Raises RecipeError if it is empty."""
    if not rows:
        raise RecipeError(f"No usable line is left for {path}; unusable.jsonl in its folder says why.")
    write_lines(path, rows)
    hours = sum(row["duration"] for row in rows) / 3600
    speakers = len({row["speaker"] for row in rows})
    say(f"{path}: {len(rows)} utterances, {hours:.2f} h, {speakers} speakers")


def write_unusable(path: Path, unusable: list[Unusable]) -> None:
    """All of them; their number by reason, and an example of each, on standard error."""
    write_lines(path, map(asdict, unusable))
    kinds: dict[str, list[Unusable]] = {}
    for one in unusable:
        kinds.setdefault(_PARTICULAR.sub("*", one.why), []).append(one)
    say(f"{path}: {len(unusable)} lines left out" + ("; for example" if unusable else ""))
    for found in sorted(kinds.values(), key=len, reverse=True):
        say(f"  {len(found)} as {found[0].place}: {found[0].why}")
