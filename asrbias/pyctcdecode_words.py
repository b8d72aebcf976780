"""From what pyctcdecode returns, words and their frames, to a Hypothesis with tokens, confidences and entities."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asrbias.alignment import AlignmentError, align
from asrbias.hypothesis import Hypothesis, Word
from asrbias.phrases import WORD_START, Phrases, Spelling

Array = npt.NDArray[np.float32]
Tokens = tuple[int, ...]
Place = tuple[str, tuple[int, int]]  # a word, its first frame and the one after its last
Span = tuple[int, tuple[int, int]]  # an entity, and the first and last word of its occurrence


@dataclass(frozen=True)
class Reader:
    """Reads beams for one set of labels."""

    spelling: Spelling
    blank: int
    token_min_logp: float  # nats; what the search passed over, unless it was a frame's best

    @property
    def _index(self) -> dict[str, int]:
        return {text: token for token, text in enumerate(self.spelling.matched) if text}

    def hypothesis(
        self, logits: Array, places: Sequence[Place], scores: tuple[float, float, float], phrases: Phrases | None
    ) -> Hypothesis:
        """logits: [T, V], finite. scores: acoustic, bias, lm."""
        words = [word for word, _ in places]
        rows = self._tokens(logits, places)
        between = () if self.spelling.separator == WORD_START else (self._index.get(" ", -1),)
        tokens = tuple(token for number, row in enumerate(rows) for token in (*(between if number else ()), *row))
        path = align(logits, tokens, blank=self.blank)
        frames = tuple(zip(path.first, path.last, strict=True))
        spans = listed_spans(words, phrases)
        made, end = [], -len(between)
        for number, (word, row) in enumerate(zip(words, rows, strict=True)):
            start = end + len(between)
            end = start + len(row)
            peaks = [float(logits[a : b + 1, t].max()) for t, (a, b) in zip(row, frames[start:end], strict=True)]
            entity, span = spans.get(number, (None, None))
            made.append(
                Word(
                    text=word,
                    start=float(frames[start][0]),
                    end=float(frames[end - 1][1] + 1),
                    confidence=min(1.0, math.exp(sum(peaks) / len(peaks))),
                    entity=entity,
                    entity_span=span,
                )
            )
        acoustic, bias, lm = scores
        return Hypothesis(
            text=" ".join(words),
            tokens=tokens,
            score=acoustic + bias + lm,
            acoustic=acoustic,
            bias=bias,
            lm=lm,
            words=tuple(made),
            frames=frames,
        )

    def _tokens(self, logits: Array, places: Sequence[Place]) -> list[Tokens]:
        """The tokens of each word, without separators of their own."""
        starts = [first for _, (first, _) in places[1:]] + [len(logits)]
        ends = [0] + [end for _, (_, end) in places[:-1]]
        rows = []
        for number, (word, (first, end)) in enumerate(places):
            if self.spelling.separator == WORD_START:
                # Of merged paths pyctcdecode keeps one's frames, not the best's: look as far as the neighbours.
                window = logits[min(ends[number], first) : max(starts[number], end)]
                rows.append(self._spell(window, (" " + word,) if number else (" " + word, word)))
            else:
                rows.append(tuple(map(self._index.__getitem__, word)))
        return rows

    def _spell(self, window: Array, texts: Sequence[str]) -> Tokens:
        """The likeliest segmentation of one of `texts`, in labels that the search can have used in these frames."""
        seen = {*np.nonzero(window >= self.token_min_logp - 1e-3)[1].tolist(), *window.argmax(1).tolist()}
        index = {text: token for text, token in self._index.items() if token in seen}
        best: tuple[float, Tokens] | None = None
        for text in texts:
            for tokens in segmentations(text, index):
                with contextlib.suppress(AlignmentError):  # more tokens than frames
                    score = align(window, tokens, blank=self.blank).score
                    best = max(best or (score, tokens), (score, tokens))
        return best[1] if best is not None else next(segmentations(texts[0], self._index))


def segmentations(text: str, index: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
    """Every way to write `text` in the labels of `index`, longest first."""
    if not text:
        yield ()
    for end in range(len(text), 0, -1):
        if text[:end] in index:
            for rest in segmentations(text[end:], index):
                yield (index[text[:end]], *rest)


def listed_spans(words: Sequence[str], phrases: Phrases | None) -> dict[int, Span]:
    """By word, the whole phrases in a text: longest first, from the left, none overlapping."""
    if phrases is None:
        return {}
    rows = {text: row for row, text in enumerate(phrases.table.texts)}
    longest = max((text.count(" ") + 1 for text in rows), default=0)
    found: dict[int, Span] = {}
    start = 0
    while start < len(words):
        length = next((n for n in range(longest, 0, -1) if " ".join(words[start : start + n]) in rows), 0)
        length = min(length, len(words) - start)
        if length:
            entity = int(phrases.table.entity[rows[" ".join(words[start : start + length])]])
            found |= {k: (entity, (start, start + length - 1)) for k in range(start, start + length)}
        start += length or 1
    return found
