"""Hypotheses: what a decoder returns, and their words.

Times here are frames of log_probs; the recognizer turns them into seconds.

Threads that decode wait for each other while Python objects are made, and of 50 hypotheses most are never looked at: a
search's hypotheses are filled when they are first asked for their text or their words, from what the native core keeps
(nbest.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of a hypothesis. Frames are those of log_probs."""

    text: str
    start: float  # frame at which its first token begins
    end: float  # frame after its last token's last one
    confidence: float  # 0..1: geometric mean over its tokens of the highest posterior in the token's aligned frames
    entity: int | None = None  # position in the list of the entity that it belongs to
    entity_span: tuple[int, int] | None = None  # first and last word of that occurrence, both included


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """A transcript and how it scored. `score` is exactly `acoustic + bias + lm + phonetic`, in nats."""

    text: str  # matching form: words with one space between
    tokens: tuple[int, ...]
    score: float
    acoustic: float  # log of the summed probability of the alignments that the beam found
    bias: float  # what the listed phrases earn: all that a list adds, unigram boosting too
    # Language model, as without a list: lm_weight * (log probabilities of the words and of </s>) + word_bonus for each
    # word + unknown_penalty for each unknown one; 0 without a model.
    lm: float
    words: tuple[Word, ...]
    frames: tuple[tuple[int, int], ...]  # first and last frame of each token, by forced alignment
    phonetic: float = 0.0  # rescoring by phones (rescoring.py); 0 where that was not done

    def reworded(self, change: Callable[[tuple[Word, ...]], tuple[Word, ...]]) -> Hypothesis:
        """The same with other `words`, made when they are asked for; itself where it is known that they stay."""
        own = self.__dict__
        source, number = own.get("_source"), own.get("_number")
        if source is None or number is None or "words" in own:
            words = change(self.words)
            return self if words == self.words else replace(self, words=words)
        made = object.__new__(Hypothesis)
        made.__dict__.update(own, _source=_Reworded(source, change), _number=number)
        made.__dict__.pop("words", None)  # another thread may have filled all of it just now
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What is not filled yet. Another thread may fill it at the same time, with the same."""
            own = self.__dict__
            source, number = own.get("_source"), own.get("_number")
            if source is not None and number is not None and name in _LATE:
                own[name] = getattr(source, name)(number)
                if own.keys() >= _LATE:
                    own.pop("_source", None)
                    own.pop("_number", None)
            if name not in own:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return own[name]

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


# In a hypothesis' __dict__ until all of this is there: its `_source` and its `_number` in it.
_LATE = {"text", "tokens", "words", "frames"}


def words_of(tokens: Sequence[int], shown: Sequence[str]) -> list[str]:
    """The words that tokens spell. shown: each label's spelling, " " the separator."""
    return [text for text in "".join([shown[token] for token in tokens]).split(" ") if text]


class Source(Protocol):
    """What fills hypotheses, each by its number."""

    def text(self, number: int, /) -> str: ...
    def tokens(self, number: int, /) -> tuple[int, ...]: ...
    def frames(self, number: int, /) -> tuple[tuple[int, int], ...]: ...
    def words(self, number: int, /) -> tuple[Word, ...]: ...


def made(source: Source, number: int, *, acoustic: float, bias: float, lm: float, phonetic: float = 0.0) -> Hypothesis:
    """A hypothesis that `source` fills. (Its __dict__ takes a third of the time of a frozen dataclass' __init__.)"""
    hypothesis = object.__new__(Hypothesis)
    hypothesis.__dict__.update(
        score=acoustic + bias + lm + phonetic,
        acoustic=acoustic,
        bias=bias,
        lm=lm,
        phonetic=phonetic,
        _source=source,
        _number=number,
    )
    return hypothesis


class _Reworded:
    """Fills a hypothesis with other words."""

    def __init__(self, source: Source, change: Callable[[tuple[Word, ...]], tuple[Word, ...]]) -> None:
        self._source, self._change = source, change
        self.text, self.tokens, self.frames = source.text, source.tokens, source.frames

    def words(self, number: int, /) -> tuple[Word, ...]:
        return self._change(self._source.words(number))
