"""Hypotheses: what a decoder returns, and their words.

Times here are frames of log_probs; the recognizer turns them into seconds.

Threads that decode wait for each other while Python objects are made, and of 50 hypotheses most are never looked at: a
search's hypotheses are filled when they are first asked for their text or their words, from what the native core keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from asrbias._core import NBest, SpokenWord
    from asrbias.phrases import Phrases


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

    def rescored(self, *, bias: float, phonetic: float) -> Hypothesis:
        """The same with another bias and phonetic part, and their sum."""
        made = object.__new__(Hypothesis)
        made.__dict__.update(self.__dict__)
        made.__dict__.update(bias=bias, phonetic=phonetic, score=self.acoustic + bias + self.lm + phonetic)
        return made

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What is not filled yet. Another thread may fill it at the same time, with the same."""
            own = self.__dict__
            rest = own.get(_REST)
            if rest is not None and name in _LATE:
                source, number = rest
                own.update(source.spelled(number) if name in _SPELLED else source.timed(number, self.text))
                if all(late in own for late in _LATE):
                    own.pop(_REST, None)
            if name not in own or name == _REST:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return own[name]

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


_REST = "_rest"  # in a hypothesis' __dict__ until all of it is filled: (_NBest, number)
_SPELLED = ("text", "tokens")
_LATE = (*_SPELLED, "words", "frames")


def words_of(tokens: Sequence[int], shown: Sequence[str]) -> list[str]:
    """The words that tokens spell. shown: each label's spelling, " " the separator."""
    return [text for text in "".join([shown[token] for token in tokens]).split(" ") if text]


def make_hypotheses(found: NBest, shown: Sequence[str], phrases: Phrases | None) -> list[Hypothesis]:
    """The n-best from what the native core returns. shown: each label's spelling, " " the separator."""
    source = _NBest(found, shown, phrases.table.entity if phrases is not None else None)
    made = []
    for number, (acoustic, bias, lm) in enumerate(found.scores):
        hypothesis = object.__new__(Hypothesis)
        hypothesis.__dict__.update(  # a third of the time of a frozen dataclass' __init__
            score=acoustic + bias + lm, acoustic=acoustic, bias=bias, lm=lm, phonetic=0.0, _rest=(source, number)
        )
        made.append(hypothesis)
    return made


class _NBest:
    """What fills the hypotheses of one n-best, which share most of their words."""

    __slots__ = ("_entities", "_found", "_shown", "_words")

    def __init__(self, found: NBest, shown: Sequence[str], entities: npt.NDArray[np.integer[Any]] | None) -> None:
        self._found, self._shown, self._entities = found, shown, entities
        self._words: dict[tuple[Any, ...], Word] = {}

    def spelled(self, number: int) -> dict[str, Any]:
        tokens = self._found.tokens(number)
        return {"tokens": tokens, "text": " ".join(words_of(tokens, self._shown))}

    def timed(self, number: int, text: str) -> dict[str, Any]:
        texts = text.split(" ") if text else []
        rows = self._found.words(number)
        words = tuple(self._word(word, row) for word, row in zip(texts, rows, strict=True))
        return {"words": words, "frames": self._found.frames(number)}

    def _word(self, text: str, row: SpokenWord) -> Word:
        word = self._words.get((text, row))
        if word is None:
            start, end, confidence, phrase, first, last = row
            listed = self._entities is not None and phrase >= 0
            word = self._words[text, row] = Word(
                text=text,
                start=start,
                end=end,
                confidence=confidence,
                entity=int(self._entities[phrase]) if self._entities is not None and listed else None,
                entity_span=(first, last) if listed else None,
            )
        return word
