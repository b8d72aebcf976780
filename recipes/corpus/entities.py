"""Entities and distractors of prepared manifests, from the training text or a benchmark's word lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.rare import common_words, distractors, names_in, rare_words
from corpus.stages import say

from asrbias.files import write_whole

KINDS = ("rare", "names")


@dataclass(frozen=True, kw_only=True)
class EntityRules:
    common_words: int = 5000  # the most frequent words of the training text, which are no entities
    distractors: int = 10_000  # phrases of each kind to make lists of, at most
    seed: int = 1  # of their choice


def add_entities(
    splits: Mapping[str, list[dict[str, Any]]],
    rules: EntityRules,
    folder: Path,
    *,
    common: frozenset[str] | None = None,
    known: Iterable[str] | None = None,
) -> None:
    """Give each row `rare`, `names` and `entities` (both); write common.txt, seen.txt and distractors-KIND.txt.

    Rows have `text` (matching form) and `original` ("" where there is none, and then no names).
    `common`: the words that are no entities, and `known`: the rare words to draw distractors from, where a benchmark
    has fixed them.
    """
    train = [row["text"] for row in splits["train"]]
    common = common_words(train, rules.common_words) if common is None else common
    for rows in splits.values():
        for row in rows:
            row["rare"] = rare_words(row["text"], common)
            row["names"] = names_in(row["original"], row["text"], common)
            row["entities"] = [*row["names"], *(word for word in row["rare"] if word not in row["names"])]
    counts = Counter(word for text in train for word in text.split())
    _write(folder / "common.txt", sorted(common))
    _write(folder / "seen.txt", [f"{word}\t{count}" for word, count in counts.most_common()])
    for kind in KINDS:
        heard = {phrase for name, rows in splits.items() if name != "train" for row in rows for phrase in row[kind]}
        said = {phrase for row in splits["train"] for phrase in row[kind]}
        pool = known if known is not None and kind == "rare" else said
        chosen = distractors(pool, heard, rules.distractors, rules.seed)
        _write(folder / f"distractors-{kind}.txt", chosen)
        spoken = sum(len(row[kind]) for name, rows in splits.items() if name != "train" for row in rows)
        say(f"{kind}: {spoken} spoken outside of train, {len(heard)} different; {len(chosen)} distractors")


def _write(path: Path, lines: list[str]) -> None:
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())
