"""Hypotheses: what a decoder returns, and their words.

Times here are frames of log_probs; the recognizer turns them into seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def make_hypothesis(result: Result, shown: Sequence[str], phrases: Phrases | None) -> Hypothesis:
    """From what the native core returns. shown: each label's spelling, " " the separator."""
    tokens, frames, peaks, acoustic, bias, lm, rows = result
    texts = [text for text in "".join([shown[token] for token in tokens]).split(" ") if text]
    words = []
    for text, (first, last, phrase, span_first, span_last) in zip(texts, rows, strict=True):
        listed = phrases is not None and phrase >= 0
        words.append(
            Word(
                text=text,
                start=float(frames[first][0]),
                end=float(frames[last][1] + 1),
                confidence=min(1.0, math.exp(sum(peaks[first : last + 1]) / (last + 1 - first))),
                entity=int(phrases.table.entity[phrase]) if phrases is not None and listed else None,
                entity_span=(span_first, span_last) if listed else None,
            )
        )
    return Hypothesis(
        text=" ".join(texts),
        tokens=tokens,
        score=acoustic + bias + lm,
        acoustic=acoustic,
        bias=bias,
        lm=lm,
        words=tuple(words),
        frames=frames,
    )
