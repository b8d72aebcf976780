"""Sentences to learn to spell from: pieces of the training text, some with other names put in place of theirs."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.rare import pieces

from asrbias.files import write_whole
from asrbias.text import normalise


@dataclass(frozen=True, kw_only=True)
class SentenceOptions:
    count: int = 400_000  # lines
    renamed: float = 0.5  # share of those whose entities are replaced by others
    seed: int = 1


def write_sentences(path: Path, rows: Sequence[dict[str, Any]], options: SentenceOptions) -> int:
    """`count` pieces of 3 to 18 words of the rows' texts, a line each, gzip'd; returns how many different ones.

    Each pass over the texts cuts them elsewhere. A renamed piece has a name or rare word of another text in place of
    its own, a name for a name.
    """
    draw = random.Random(options.seed)
    pools = {kind: sorted({normalise(phrase) for row in rows for phrase in row[kind]}) for kind in ("names", "rare")}
    lines: list[str] = []
    while len(lines) < options.count:
        before = len(lines)
        for row in draw.sample(rows, len(rows)):
            kinds = [kind for kind in pools if row[kind]]
            text = row["text"]
            if kinds and draw.random() < options.renamed:
                kind = draw.choice(kinds)
                own = normalise(draw.choice(row[kind]))
                text = f" {text} ".replace(f" {own} ", f" {draw.choice(pools[kind])} ").strip()
            lines += [" ".join(piece) for piece in pieces(text.split(), draw)]
        if len(lines) == before:
            raise ValueError("No training text has three words; there is nothing to learn to spell from.")
    del lines[options.count :]
    write_whole(path, gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))
    return len(set(lines))
