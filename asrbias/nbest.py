"""The n-best of one search: what the native core found, and hypotheses of those that somebody wants."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from asrbias.hypothesis import Hypothesis, Word, made

if TYPE_CHECKING:
    from asrbias import _core
    from asrbias.phrases import Phrases


class NBest:
    """N hypotheses, best first, no two of which have the same tokens; they share most of their words."""

    def __init__(self, found: _core.NBest, phrases: Phrases | None) -> None:
        self.native = found
        self._entities = phrases.table.entity if phrases is not None else None
        self._words: dict[tuple[Any, ...], Word] = {}
        self.acoustic, self.bias, self.lm = found.scores  # N each, nats
        self.text, self.tokens, self.frames = found.text, found.tokens, found.frames  # of a number

    def __len__(self) -> int:
        return len(self.acoustic)

    @cached_property
    def best(self) -> Hypothesis:
        return self.hypothesis(0)

    def hypotheses(self) -> list[Hypothesis]:
        """All of them, best first."""
        scores = zip(self.acoustic, self.bias, self.lm, strict=True)
        return [made(self, n, acoustic=acoustic, bias=bias, lm=lm) for n, (acoustic, bias, lm) in enumerate(scores)]

    def hypothesis(self, number: int, *, bias: float | None = None, phonetic: float = 0.0) -> Hypothesis:
        """One of them, with another bias and a phonetic part where these are given."""
        own = self.bias[number] if bias is None else bias
        return made(self, number, acoustic=self.acoustic[number], bias=own, lm=self.lm[number], phonetic=phonetic)

    @property
    def entities(self) -> set[int]:
        """Those that words of any of them belong to."""
        return set(self._entities[self.native.phrases].tolist()) if self._entities is not None else set()

    def words(self, number: int) -> tuple[Word, ...]:
        text, rows = self.text(number), self.native.words(number)
        texts = text.split(" ") if text else ()
        return tuple(self._word(one, *row) for one, row in zip(texts, rows, strict=True))

    def _word(
        self, text: str, start: float, end: float, confidence: float, phrase: int, first: int, last: int
    ) -> Word:
        key = (text, start, end, confidence, phrase, first, last)
        word = self._words.get(key)
        if word is None:
            entity, span = None, None
            if self._entities is not None and phrase >= 0:
                entity, span = int(self._entities[phrase]), (first, last)
            word = Word(text=text, start=start, end=end, confidence=confidence, entity=entity, entity_span=span)
            self._words[key] = word
        return word
