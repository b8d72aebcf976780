"""From what the search found to pyctcdecode's beams: texts, frames of words and scores.

The search ranks by its own estimates of open words; here every text is scored anew and exactly as pyctcdecode does it,
and label sequences of one text are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asrbias.compat.pyctcdecode.hotwords import HotwordScorer
from asrbias.compat.pyctcdecode.language_model import AbstractLanguageModel
from asrbias.compat.pyctcdecode.search import Found, Settings

Frames = tuple[int, int]  # the first frame of a word, and the one after its last
WordFrames = tuple[str, Frames]
Piece = tuple[bool, str, bool]  # whether a label starts with a separator, its characters, whether it ends in one
# text, the language model's state after it, its words, logit score, logit score with language model and hotwords
OutputBeam = tuple[str, Any, list[WordFrames], float, float]


@dataclass
class Spoken:
    """A label sequence as words. The last one is open unless a separator follows it."""

    words: list[str]
    frames: list[Frames]
    open: bool
    log_prob: float
    rank: float = 0.0  # nats, when the last frame has been read

    @property
    def closed(self) -> list[str]:
        return self.words[:-1] if self.open else self.words

    @property
    def part(self) -> str:
        """The open word, "" where there is none."""
        return self.words[-1] if self.open else ""


def spoken(found: Found, pieces: Sequence[Piece], is_bpe: bool) -> Spoken:
    """pieces: of the labels."""
    words: list[str] = []
    frames: list[Frames] = []
    goes_on, first = False, -1  # first: frame at which a "▁" that stands alone has begun the word
    for token, (begin, last) in zip(found.tokens, found.frames, strict=True):
        starts, text, ends = pieces[token]
        if starts:
            goes_on, first = False, begin if is_bpe else -1
        if text and goes_on:
            words[-1] += text
            frames[-1] = (frames[-1][0], last + 1)
        elif text:
            words.append(text)
            frames.append((first if first >= 0 else begin, last + 1))
            goes_on, first = True, -1
        goes_on = goes_on and not ends
    return Spoken(words, frames, goes_on, found.log_prob)


class Scorer:
    """Scores texts by a language model and hotwords, asking for each word after a state once."""

    def __init__(self, model: AbstractLanguageModel | None, hotwords: HotwordScorer, start: Any) -> None:
        self._model, self._hotwords, self._start = model, hotwords, start
        self._known: dict[tuple[int, str, bool], tuple[float, int]] = {}
        self._states: list[Any] = [start]
        self._numbers: dict[Any, int] = {}  # of states that are tuples, which are our own models'

    def _score(self, state: int, word: str, last: bool) -> tuple[float, int]:
        assert self._model is not None
        key = (state, word, last)
        if key not in self._known:
            score, after = self._model.score(self._states[state], word, is_last_word=last)
            new = len(self._states)
            number = self._numbers.setdefault(after, new) if isinstance(after, tuple) else new
            if number == new:
                self._states.append(after)
            self._known[key] = float(score), number
        return self._known[key]

    def _closed(self, words: Sequence[str]) -> tuple[float, int]:
        total, state = 0.0, 0
        if self._model is not None:
            for word in words:
                score, state = self._score(state, word, False)
                total += score
        return total, state

    def rank(self, text: Spoken) -> float:
        """Nats of the language model and hotwords before a text's end is known."""
        total, part = self._closed(text.closed)[0], text.part
        if part and part in self._hotwords:
            total += self._hotwords.score_partial_token(part)
        elif part and self._model is not None:
            total += self._model.score_partial_token(part)
        return total + self._hotwords.weight * self._hotwords.count(text.closed)

    def end(self, text: Spoken, ended: bool) -> tuple[float, Any]:
        """Nats of a whole text, and the state after its words; None without a language model.

        ended: whether a separator surely ends the text. Then, and for a text without words, the model is asked for a
        last word "", an unknown one, as pyctcdecode does.
        """
        total = self._hotwords.weight * self._hotwords.count(text.words)
        if self._model is None:
            return total, None
        if ended or not text.words:
            score, state = self._closed(text.words)
            return total + (score + self._score(state, "", True)[0]), self._states[state]
        score, state = self._closed(text.words[:-1])
        last, state = self._score(state, text.words[-1], True)
        return total + (score + last), self._states[state]


def output_beams(texts: Sequence[Spoken], settings: Settings, scorer: Scorer, history: int) -> list[OutputBeam]:
    """The beams, best first. history: words before the open one that tell texts apart under `prune_history`."""
    for text in texts:
        text.rank = text.log_prob + scorer.rank(text)
    ranked = _within(sorted(texts, key=lambda text: -text.rank), [text.rank for text in texts], settings)
    if settings.prune_history:
        ends: dict[tuple[Any, ...], Spoken] = {}
        for text in ranked:
            ends.setdefault((*text.closed[-history:], None, text.part), text)
        ranked = list(ends.values())
    # Where only some hypotheses end in a separator pyctcdecode asks for "" after texts whose least likely alignments
    # do, which hangs on what the beam happened to keep, and may cost a text 10 nats and more: here it is not asked for.
    ended = not any(text.open for text in ranked)
    merged: dict[str, list[Spoken]] = {}
    for text in ranked:
        merged.setdefault(" ".join(text.words), []).append(text)
    beams: list[OutputBeam] = []
    for joined, same in merged.items():
        score, state = scorer.end(same[0], ended)
        log_prob = same[0].log_prob if len(same) == 1 else float(np.logaddexp.reduce([t.log_prob for t in same]))
        words = list(zip(same[0].words, same[0].frames, strict=True))
        beams.append((joined, state, words, log_prob, log_prob + score))
    beams.sort(key=lambda beam: -beam[-1])
    return _within(beams, [beam[-1] for beam in beams], settings)


def _within(ranked: list[Any], scores: Sequence[float], settings: Settings) -> list[Any]:
    """At most `beam_width`, none further below the best than `beam_prune_logp`. ranked: best first."""
    if not ranked:
        return ranked
    floor = max(scores) + settings.beam_prune_logp
    ordered = sorted(scores, reverse=True)
    return ranked[: min(settings.beam_width, sum(score >= floor for score in ordered))]
