"""Short and simple sentences, as learners and children read them: the training texts of a corpus, and rows of digits.

Learners stop between words where no mark is; so do these, at a comma that is only in what the voice is given.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from sentences import Exclusion, Sentence, usable

CORPUS = "speechocean762"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ROWS = 0.08  # share of rows of digits
HALTING = 0.4  # share of sentences read haltingly
STOP = 0.3  # a gap of a halting sentence that is stopped at


class SimpleSentences:
    """Sentences of `corpus` in a training manifest, without what `not_in` holds too and what is excluded."""

    def __init__(
        self, manifest: Path, exclusion: Exclusion, not_in: tuple[Path, ...] = (), corpus: str = CORPUS
    ) -> None:
        self.exclusion = exclusion
        rows = [row for row in _rows(manifest) if row["corpus"] == corpus]
        self.others = {row["text"].lower() for path in not_in for row in _rows(path)}
        self.texts = sorted({row["text"] for row in rows if usable(row["text"]) and not self._excluded(row["text"])})
        if not self.texts:
            raise ValueError(
                f"{manifest} holds no usable text of corpus {corpus!r}: give the manifest of the training speech"
            )

    def _excluded(self, text: str) -> bool:
        return text.lower() in self.others or self.exclusion.found_in(text) is not None

    def draw(self, random: random.Random) -> Sentence:
        while random.random() < ROWS:
            digits = " ".join(random.choices(DIGITS, k=random.randint(2, 6)))
            if not self._excluded(digits):
                return Sentence(digits)
        return Sentence(random.choice(self.texts))


def halting(text: str, random: random.Random) -> str:
    """`text` as a voice is given it to read it haltingly, or, mostly, as it is."""
    if random.random() >= HALTING:
        return text
    words = text.split()
    stops = [word + "," if word[-1].isalpha() and random.random() < STOP else word for word in words[:-1]]
    return " ".join([*stops, words[-1]])


def _rows(manifest: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
