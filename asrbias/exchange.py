"""A hypothesis with some of its words exchanged: spelled by labels, aligned and scored anew.

Exact are `acoustic`, the log of the summed probability of the new tokens' alignments, and `score`, their sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asrbias import _core
from asrbias.hypothesis import Hypothesis, Word
from asrbias.phrases import Spelling
from asrbias.wordgraphs import SubwordGraphs, parallel

Span = tuple[int, int]
MARGIN = 8  # frames on either side of a word's phones in which its subwords may lie: two heads are not in step


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """Words first .. last - 1 become `text`, said in frames begin .. end - 1."""

    first: int
    last: int
    text: str  # matching form
    entity: int  # position in the list that it belongs to
    begin: int
    end: int
    gain: float  # nats by which the new text is better

    def overlaps(self, other: Exchange) -> bool:
        """Whether both cannot be done: in words or in frames, or where both put words in at one place."""
        same = self.first == self.last == other.first == other.last
        words = self.first < other.last and other.first < self.last
        return same or words or (self.begin < other.end and other.begin < self.end)


@dataclass(frozen=True)
class _Piece:
    """A word on its way into the new hypothesis."""

    text: str
    tokens: tuple[int, ...]
    entity: int | None
    span: Span | None  # in words of the new hypothesis


def exchange(
    hypothesis: Hypothesis,
    exchanges: Sequence[Exchange],
    log_probs: npt.NDArray[np.float32],
    spelling: Spelling,
    graphs: SubwordGraphs,
    blank: int,
) -> Hypothesis:
    """The hypothesis with all of these exchanges, which are in order of place and do not overlap.

    Its score is the old one and the gains; `bias` takes what the other parts do not explain. The caller sets `lm` and
    `phonetic` anew where there are any. Raises ValueError where a text cannot be spelled or said there.
    """
    groups = token_groups(hypothesis, spelling)
    pieces: list[_Piece] = []
    place = 0
    for one in exchanges:
        pieces += _kept(hypothesis, groups, place, one.first, len(pieces))
        span = (len(pieces), len(pieces) + one.text.count(" "))
        for text, tokens in _spelled(one, log_probs, graphs, blank, first=not pieces):
            pieces.append(_Piece(text, tokens, one.entity, span))
        place = one.last
    pieces += _kept(hypothesis, groups, place, len(hypothesis.words), len(pieces))
    tokens = tuple(token for piece in pieces for token in piece.tokens)
    first, last, _, peaks, _ = _core.align(log_probs, tokens, blank)
    acoustic = _core.text_scores(_core.Frames(log_probs, blank), [[parallel([tokens])]])[0]
    bias = hypothesis.score + sum(one.gain for one in exchanges) - acoustic - hypothesis.lm - hypothesis.phonetic
    return Hypothesis(
        text=" ".join(piece.text for piece in pieces),
        tokens=tokens,
        score=acoustic + bias + hypothesis.lm + hypothesis.phonetic,
        acoustic=acoustic,
        bias=bias,
        lm=hypothesis.lm,
        words=_words(pieces, first, last, peaks),
        frames=tuple(zip(first, last, strict=True)),
        phonetic=hypothesis.phonetic,
    )


def without_overlaps(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """Those that overlap none before them, in order of place."""
    kept: list[Exchange] = []
    for one in exchanges:
        if not any(one.overlaps(other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: (one.first, one.begin))


def token_groups(hypothesis: Hypothesis, spelling: Spelling) -> list[tuple[int, ...]]:
    """The tokens of each word, a separator with the word that it begins.

    Raises ValueError for a token that holds letters of two words.
    """
    groups: list[list[int]] = []
    waiting: list[int] = []
    inside = False
    for token in hypothesis.tokens:
        shown = spelling.shown[token]
        if " " in shown.strip():
            raise ValueError(f"the label {shown!r} holds letters of two words")
        if not shown.strip():
            waiting, inside = [*waiting, token], False
        elif inside and not shown.startswith(" "):
            groups[-1].append(token)
        else:
            groups.append([*waiting, token])
            waiting, inside = [], True
        if shown.endswith(" "):
            inside = False
    if waiting and groups:
        groups[-1] += waiting
    return [tuple(group) for group in groups]


def _kept(hypothesis: Hypothesis, groups: Sequence[tuple[int, ...]], first: int, last: int, place: int) -> list[_Piece]:
    """Words first .. last - 1 as they are, the first at `place`; a listed phrase that is cut is none any more."""
    pieces = []
    for number in range(first, last):
        word = hypothesis.words[number]
        span = word.entity_span
        whole = span is not None and first <= span[0] and span[1] < last
        moved = (span[0] - first + place, span[1] - first + place) if span is not None and whole else None
        pieces.append(_Piece(word.text, groups[number], word.entity if whole else None, moved))
    return pieces


def _spelled(
    one: Exchange, log_probs: npt.NDArray[np.float32], graphs: SubwordGraphs, blank: int, first: bool
) -> list[tuple[str, tuple[int, ...]]]:
    """The words of the new text with the labels that spell each of them best in its frames."""
    words = one.text.split()
    made = [graphs.word(word, first=first and place == 0) for place, word in enumerate(words)]
    if not all(made):
        raise ValueError(f"the labels cannot spell {one.text!r}")
    begin, end = max(0, one.begin - MARGIN), min(len(log_probs), one.end + MARGIN)
    frames = _core.Frames(np.ascontiguousarray(log_probs[begin:end]), blank)
    _, _, labels, _ = _core.best_way(frames, [graph for graph in made if graph is not None])
    return list(zip(words, (tuple(group) for group in labels), strict=True))


def _words(
    pieces: Sequence[_Piece], first: Sequence[int], last: Sequence[int], peaks: Sequence[float]
) -> tuple[Word, ...]:
    words, at = [], 0
    for piece in pieces:
        end = at + len(piece.tokens)
        confidence = min(1.0, math.exp(sum(peaks[at:end]) / len(piece.tokens)))
        words.append(
            Word(
                text=piece.text,
                start=float(first[at]),
                end=float(last[end - 1] + 1),
                confidence=confidence,
                entity=piece.entity,
                entity_span=piece.span,
            )
        )
        at = end
    return tuple(words)
