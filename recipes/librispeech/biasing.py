"""The biasing lists of is21_deep_bias (Le et al. 2021): references to manifests, transcripts to hypothesis files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpus.errors import RecipeError
from corpus.lines import read_lines, write_lines

from asrbias.files import write_whole
from asrbias.score_formats import read_is21

WORDS = ("common_words_5k.txt", "all_rare_words.txt")


def reference_name(part: str, size: int) -> str:
    return f"{part}.biasing_{size}.tsv"


def write_list_manifest(path: Path, part: list[dict[str, Any]], reference: Path) -> None:
    """A part's lines with the true entities (column 3) and the list (column 4) of a reference file.

    Raises RecipeError where the two are not of the same utterances.
    """
    records = {one.id: one for one in read_is21(reference, reference.read_text("utf-8").splitlines())}
    ids = {row["id"] for row in part}
    if different := sorted(ids ^ set(records)):
        raise RecipeError(
            f"{reference} and the prepared part differ: {different[0]} is in one only, and {len(different) - 1} more; "
            "unusable.jsonl in manifests/ says what was left out."
        )
    rows = []
    for row in part:
        record = records[row["id"]]
        assert isinstance(record.entities, tuple) and isinstance(record.list, tuple)  # of this format
        rows.append({**row, "entities": record.entities, "list": record.list})
    write_lines(path, rows)


def write_hypotheses(path: Path, run: Path) -> None:
    """`id`, tab, text: what is21's score.py and `asrbias score --format is21` read."""
    lines = [f"{row['id']}\t{row['hypothesis']}\n" for row in read_lines(run)]
    write_whole(path, "".join(lines).encode())


def read_words(path: Path) -> frozenset[str]:
    return frozenset(path.read_text("utf-8").split())


def read_published() -> dict[str, Any]:
    """Figures of other systems, each with where it stands."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_text("utf-8"))
    return content
