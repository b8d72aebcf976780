"""Hypotheses: what a decoder returns, and their words.

Times here are frames of log_probs; the recognizer turns them into seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asrbias._core import Result
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


def words_of(tokens: Sequence[int], shown: Sequence[str]) -> list[str]:
    """The words that tokens spell. shown: each label's spelling, " " the separator."""
    return [text for text in "".join([shown[token] for token in tokens]).split(" ") if text]


def make_hypotheses(results: Sequence[Result], shown: Sequence[str], phrases: Phrases | None) -> list[Hypothesis]:
    """The n-best from what the native core returns. shown: each label's spelling, " " the separator.

    Threads wait for each other here, so it is written for speed: hypotheses of one n-best share most of their words,
    and a frozen dataclass is filled through its __dict__, which takes a third of the time of its __init__.
    """
    known: dict[tuple[Any, ...], Word] = {}
    entities = phrases.table.entity if phrases is not None else None
    found = []
    for tokens, frames, peaks, acoustic, bias, lm, rows in results:
        texts = words_of(tokens, shown)
        words = []
        for text, (first, last, phrase, span_first, span_last) in zip(texts, rows, strict=True):
            start, end, heard = frames[first][0], frames[last][1], sum(peaks[first : last + 1]) / (last + 1 - first)
            key = (text, start, end, heard, phrase, span_first, span_last)
            word = known.get(key)
            if word is None:
                listed = entities is not None and phrase >= 0
                word = known[key] = Word(
                    text=text,
                    start=float(start),
                    end=float(end + 1),
                    confidence=min(1.0, math.exp(heard)),
                    entity=int(entities[phrase]) if entities is not None and listed else None,
                    entity_span=(span_first, span_last) if listed else None,
                )
            words.append(word)
        hypothesis = object.__new__(Hypothesis)
        hypothesis.__dict__.update(
            text=" ".join(texts),
            tokens=tokens,
            score=acoustic + bias + lm,
            acoustic=acoustic,
            bias=bias,
            lm=lm,
            words=tuple(words),
            frames=frames,
            phonetic=0.0,
        )
        found.append(hypothesis)
    return found
