"""An n-gram model as arrays: what `estimate` makes and `mix` mixes, and how it is written.

The n-grams of an order are sorted, and each names its history by that history's place in the order below:

    order 1   0 <unk>   1 <s>   2 </s>   3 cat   4 sat
    order 2   (1, 3) = <s> cat    (3, 4) = cat sat
    order 3   (0, 4) = <s> cat sat            history 0 of order 2, then word 4

Written as ARPA text, or in the compact form of compactlm.py.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asrbias.files import write_whole

if TYPE_CHECKING:
    from asrbias.lm import LanguageModel

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
SPECIAL = (UNKNOWN, BEGIN, END)  # words 0, 1 and 2
NEVER = -99.0  # log10 probability that ARPA files give <s>

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class LanguageModelError(ValueError):
    """A language model cannot be read, made, or used as asked."""


@dataclass(frozen=True, kw_only=True)
class NGrams:
    """All N n-grams of one order, sorted by history, then word."""

    history: Integers  # [N] place in the order below; zeros for order 1
    word: Integers  # [N] number of the last word
    probability: Floats  # [N] log10
    back_off: Floats  # [N] log10; zeros for the highest order

    def __len__(self) -> int:
        return len(self.word)


@dataclass(frozen=True, kw_only=True)
class ArpaModel:
    """A back-off n-gram model. `words` begin with <unk>, <s> and </s>."""

    words: tuple[str, ...]
    orders: tuple[NGrams, ...]

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.orders)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many n-grams there are of each order."""
        return tuple(len(ngrams) for ngrams in self.orders)

    def ids(self) -> Iterator[npt.NDArray[np.int32]]:
        """The words of the n-grams of each order in turn, [N, n] in the order they are said."""
        said = self.orders[0].word[:, None].astype(np.int32)
        yield said
        for ngrams in self.orders[1:]:
            said = np.column_stack([said[ngrams.history], ngrams.word.astype(np.int32)])
            yield said

    def language_model(self) -> LanguageModel:
        """The model for scoring and decoding."""
        from asrbias import _core
        from asrbias.lm import LanguageModel

        if not self.orders:
            raise LanguageModelError("A model of order 0 is no language model; give at least 1-grams.")
        arrays = [
            (np.ascontiguousarray(ids), ngrams.probability.astype(np.float32), ngrams.back_off.astype(np.float32))
            for ids, ngrams in zip(self.ids(), self.orders, strict=True)
        ]
        try:
            return LanguageModel(_core.NGram.from_arrays(list(self.words), arrays))
        except ValueError as error:
            raise LanguageModelError(f"These arrays are no language model: {error}.") from None

    def write(self, path: str | Path) -> None:
        """Write ARPA text (.arpa), the same gzip'd (.arpa.gz), or the compact form (.npz), whole or not at all.

        Raises LanguageModelError for another ending.
        """
        path = Path(path)
        check_ending(path)
        if path.suffix == ".npz":
            from asrbias.compactlm import compact

            write_whole(path, compact(self))
        else:
            self.write_arpa(path)

    def write_arpa(self, path: str | Path) -> None:
        """Write ARPA text, gzip'd if the path ends in .gz, whole or not at all."""
        text = "".join(self._sections()).encode()
        write_whole(Path(path), gzip.compress(text, 6, mtime=0) if str(path).endswith(".gz") else text)

    def _sections(self) -> Iterator[str]:
        yield "\\data\\\n" + "".join(f"ngram {n}={count}\n" for n, count in enumerate(self.counts, 1))
        names: list[str] = []
        for n, ngrams in enumerate(self.orders, 1):
            words = [self.words[number] for number in ngrams.word.tolist()]
            if n > 1:
                words = [f"{names[h]} {word}" for h, word in zip(ngrams.history.tolist(), words, strict=True)]
            names = words
            values = zip(ngrams.probability.tolist(), names, ngrams.back_off.tolist(), strict=True)
            yield f"\n\\{n}-grams:\n"
            if n == self.order:
                yield "".join([f"{p:.7g}\t{name}\n" for p, name, _ in values])
            else:
                yield "".join([f"{p:.7g}\t{name}\t{b:.7g}\n" for p, name, b in values])
        yield "\n\\end\\\n"


def check_ending(path: Path) -> None:
    """Raise LanguageModelError where `ArpaModel.write` would."""
    if not path.name.endswith((".arpa", ".arpa.gz", ".npz")):
        raise LanguageModelError(f"{path} has no ending known for a model; use .arpa, .arpa.gz or .npz.")
