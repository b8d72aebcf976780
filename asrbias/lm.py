"""Word n-gram language models: read, score, and hand to the decoder.

    model = LanguageModel.read("model.arpa.gz")       # or a KenLM binary
    model.score("the cat sat")                        # natural logarithm, </s> included

ARPA text and KenLM's binaries are read by the native core (native/ngram.hpp), which is what the beam search asks too.
`estimate` makes a model from text.
"""

from __future__ import annotations

import gzip
import zlib
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asrbias.arpa import LanguageModelError
from asrbias.compactlm import read_compact
from asrbias.kneserney import estimate

if TYPE_CHECKING:
    from asrbias._core import NGram

__all__ = ["LanguageModel", "LanguageModelError", "estimate"]

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
KENLM = b"mmap lm http://kheafield.com/code"
ADVICE = "take the file anew from where it came, or make a model with `asrbias lm`"


class LanguageModel:
    """A back-off n-gram model, read-only. `native` is what the decoder uses."""

    def __init__(self, native: NGram) -> None:
        self.native = native

    @classmethod
    def read(cls, path: str | PathLike[str]) -> LanguageModel:
        """Read ARPA text, plain or gzip'd, an .npz of ours, or a KenLM binary (probing or plain trie).

        Raises LanguageModelError for a file that is none of these, cut short, or wrong in its values.
        """
        from asrbias import _core

        if not isinstance(path, (str, PathLike)):
            raise LanguageModelError(f"A language model is read from a path (str or Path), not {type(path).__name__}.")
        path = Path(path)
        try:
            content = _content(path)
            if content[: len(ZIP)].tobytes() == ZIP:
                return read_compact(path).language_model()
            kenlm = content[: len(KENLM)].tobytes() == KENLM
            return cls((_core.NGram.from_kenlm if kenlm else _core.NGram.from_arpa)(content))
        except ValueError as error:
            raise LanguageModelError(f"{path} cannot be read as a language model: {error}; {ADVICE}.") from None

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return self.native.order

    @property
    def counts(self) -> tuple[int, ...]:
        """How many n-grams there are of each order."""
        return tuple(self.native.counts)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words in the order of their numbers, <unk>, <s> and </s> among them.

        Raises LanguageModelError for a KenLM binary made without its vocabulary's strings.
        """
        if not self.native.has_strings:
            raise LanguageModelError(
                "This KenLM binary holds no strings of its words; make it again with build_binary, which adds them, "
                "or use the ARPA file."
            )
        return tuple(self.native.word(number).decode("utf-8", "replace") for number in range(len(self.native)))

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.native.find(word) != self.native.unknown

    def score(self, text: str) -> float:
        """Natural logarithm of the probability of `text`, words apart by white space, from <s> to </s>."""
        return sum(self.word_scores(text))

    def word_scores(self, text: str) -> tuple[float, ...]:
        """Natural logarithms of the conditional probabilities of each of W words and of </s>, W + 1 of them."""
        if not isinstance(text, str):
            raise LanguageModelError(f"The text is {type(text).__name__} {text!r:.60}; give a str.")
        return tuple(self.native.sentence(text.encode("utf-8", "replace").decode().split()))


def _content(path: Path) -> npt.NDArray[np.uint8]:
    """The bytes of a file, unzipped where they are gzip'd; else mapped, so that only what is read takes memory."""
    with open(path, "rb") as file:
        head = file.read(len(GZIP))
        if not head:
            return np.zeros(0, np.uint8)
    if head != GZIP:
        return np.memmap(path, np.uint8, mode="r")
    try:
        with gzip.open(path) as unzipped:
            return np.frombuffer(unzipped.read(), np.uint8)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"it is gzip'd, and broken or cut short ({error})") from None
