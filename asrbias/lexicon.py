"""The pronunciation lexicon: words and their ARPAbet pronunciations, read from `lexicons/`.

The data is the CMU Pronouncing Dictionary, unchanged (source and licence: lexicons/README.md). It is read at the
first use, and an entry is taken apart only when its word is asked for.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

Pronunciation = tuple[str, ...]  # ARPAbet phones without stress, e.g. ("K", "IY", "V")

STRESS = str.maketrans("", "", "012")


def lexicon_folder() -> Path:
    """The folder of the data: beside the modules in an installed package, beside the package in a source tree."""
    package = Path(__file__).resolve().parent
    for folder in (package / "lexicons", package.parent / "lexicons"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"the pronunciation data is missing: neither {package / 'lexicons'} nor {package.parent / 'lexicons'} "
        "exists; install asrbias again, or restore the folder lexicons/ of the source tree"
    )


class Lexicon(Mapping[str, tuple[Pronunciation, ...]]):
    """Words -> pronunciations, the most usual one first, stress stripped, without repeats.

    `entries` holds the lines of a dictionary in CMUdict's form: headword -> "K IY1 V # comment", further
    pronunciations of a word under "word(2)", "word(3)".
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = entries

    @classmethod
    def read(cls, path: Path) -> Lexicon:
        """Read a gzip'd dictionary, a line an entry: headword, space, phones."""
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
        return cls(dict([line.split(" ", 1) for line in lines]))

    def __getitem__(self, word: str) -> tuple[Pronunciation, ...]:
        line: str | None = self._entries[word]
        found: dict[Pronunciation, None] = {}  # a dict keeps the order and merges what differs by stress alone
        variant = 1
        while line is not None:
            found[tuple(line.partition("#")[0].translate(STRESS).split())] = None
            variant += 1
            line = self._entries.get(f"{word}({variant})")
        return tuple(found)

    def __contains__(self, word: object) -> bool:
        return word in self._entries

    def __iter__(self) -> Iterator[str]:
        return (word for word in self._entries if not word.endswith(")"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@lru_cache(maxsize=1)
def cmudict() -> Lexicon:
    """The CMU Pronouncing Dictionary (126,000 words), read once in a process."""
    return Lexicon.read(lexicon_folder() / "cmudict.dict.gz")
