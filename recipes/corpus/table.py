"""Tables of results in Markdown, from what `asrbias score --json` says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

HEADER = ("WER", "U-WER", "B-WER", "precision", "recall", "F1", "false hits in 1,000 words")


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell's bar is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def figures(system: dict[str, Any]) -> list[str]:
    """The cells of HEADER of a system or a group; a rate over nothing is a dash."""
    entities = system["entities"]
    rates = [system[name]["error_rate"] for name in ("wer", "u_wer", "b_wer")]
    found = [entities[name] for name in ("precision", "recall", "f1")]
    return [*map(rate, rates), *map(rate, found), rate(entities["false_hits_per_1000_words"])]


def rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def group_rows(test: str, content: dict[str, Any], least: int = 200) -> list[list[str]]:
    """A row a group with at least `least` reference words: words, WER without and with the list, F1 likewise.

    A group whose WER or F1 is worse with the list is marked, so that a mean does not hide it. A field in which all are
    alike makes no groups.
    """
    values = Counter(group["field"] for group in content["groups"])
    earlier = {(group["field"], group["value"]): group for group in content["baseline"]["groups"]}
    rows = []
    for group in content["groups"]:
        key = (group["field"], group["value"])
        words = group["wer"]["ref_words"]
        if words < least or key not in earlier or values[key[0]] < 2:
            continue
        pairs = [
            (earlier[key]["wer"]["error_rate"], group["wer"]["error_rate"], 1),
            (earlier[key]["entities"]["f1"], group["entities"]["f1"], -1),
        ]
        worse = [None not in (a, b) and (b - a) * sign > 0 for a, b, sign in pairs]
        note = ", ".join(name for name, bad in zip(("WER worse", "F1 worse"), worse, strict=True) if bad)
        rows.append([test, *map(str, key), str(words), *(rate(x) for a, b, _ in pairs for x in (a, b)), note])
    return rows


GROUP_HEADER = (
    "test", "field", "group", "words", "WER, no list", "WER, list", "F1, no list", "F1, list", "left behind",
)  # fmt: skip
