"""Posteriors that come bit by bit.

with decoder.stream(entities=["Kyiv"]) as stream:
    for log_probs in chunks:              # [T_i, V] natural logarithms
        stream.push(log_probs)
        print(stream.partial)             # what is likeliest so far; it may still change
    best = stream.finish()[0]             # exactly what decoder.decode gives of all of them together
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from asrbias import _core
from asrbias.alignment import LogProbsError, as_matrix
from asrbias.hypothesis import Hypothesis, words_of
from asrbias.nbest import NBest

if TYPE_CHECKING:
    from asrbias.phrases import Phrases, Spelling


class DecoderStream:
    """One utterance, of `Decoder.stream`. Not for several threads at once."""

    def __init__(self, search: _core.Stream, size: int, spelling: Spelling, phrases: Phrases | None) -> None:
        self._search: _core.Stream | None = search
        self._size, self._spelling, self._phrases = size, spelling, phrases

    def push(self, log_probs: Any) -> None:
        """The next frames, [T, V] natural logarithms; numpy or torch.

        Raises LogProbsError, LogProbsTypeError as `Decoder.decode` does; the stream cannot be used after that.
        """
        search = self._open()
        matrix = as_matrix(log_probs, self._size)
        try:
            search.push(matrix)
        except ValueError as error:
            self._search = None
            raise LogProbsError(f"{error}.") from None

    @property
    def partial(self) -> str:
        """The text of the best hypothesis so far, as labels spell it; its last word may be the beginning of one."""
        return " ".join(words_of(self._open().best(), self._spelling.shown))

    def finish(self) -> list[Hypothesis]:
        """The n-best of all that was pushed, best first; the stream is closed then."""
        search, self._search = self._open(), None
        return NBest(search.finish(), self._phrases).hypotheses()

    def _open(self) -> _core.Stream:
        if self._search is None:
            raise LogProbsError("This stream has ended; open another with decoder.stream().")
        return self._search

    def __enter__(self) -> DecoderStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._search = None
