"""Words as graphs of labels, for scores over all that a model may emit for a word (native/labelgraph.hpp).

    phones = PhoneGraphs()
    pieces = SubwordGraphs(decoder.spelling)
    _core.text_scores(_core.Frames(phone_log_probs, 0), [phones.text("the tomato")])     # either pronunciation

A phone graph holds a word's pronunciations side by side, a subword graph every segmentation of its spelling. Both are
kept per word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias._core import Forms, LabelGraph
from asrbias.alignment import LogProbsError, as_matrix
from asrbias.lexicon import Pronunciation
from asrbias.phones import PHONES, pronounce
from asrbias.phrases import Spelling

Labels = tuple[int, ...]
Pronounce = Callable[[Sequence[str]], Sequence[Sequence[Pronunciation]]]
KEPT_WORDS = 200_000  # words; what is kept begins anew beyond, so that a service's memory is bounded
HIGHEST = 1e-3  # half precision may round a log probability up to a little above 0


class PhoneGraphs:
    """Graphs of pronunciations over the labels of a phone head: its blank is 0, `phones` are 1, 2, ...

    Args:
        phones: the head's phones in their order.
        pronounce: words -> each word's pronunciations, () where it has none; such a word gets an empty graph.
    """

    def __init__(self, phones: Sequence[str] = PHONES, pronounce: Pronounce | None = None) -> None:
        self._pronounce = pronounce or _pronounce_some
        self._numbers = {phone: number for number, phone in enumerate(phones, 1)}
        self._said: dict[str, tuple[Labels, ...]] = {}
        self._graphs: dict[str, LabelGraph] = {}

    def labels(self, pronunciation: Iterable[str]) -> Labels | None:
        """The head's labels of a pronunciation; None if it lacks one of its phones."""
        numbers = tuple(self._numbers.get(phone, 0) for phone in pronunciation)
        return numbers if all(numbers) else None

    def said(self, words: Iterable[str]) -> dict[str, tuple[Labels, ...]]:
        """Each distinct word's pronunciations as labels; what is not known yet is pronounced in one call."""
        distinct = dict.fromkeys(words)
        said = self._said
        if unknown := [word for word in distinct if word not in said]:
            if len(said) + len(unknown) > KEPT_WORDS:
                said = self._said = {word: said[word] for word in distinct if word in said}
                self._graphs = {}
            for word, choices in zip(unknown, self._pronounce(unknown), strict=True):
                said[word] = tuple(labels for phones in choices if (labels := self.labels(phones)))
        return {word: said[word] for word in distinct}

    def phrase(self, text: str, most: int) -> list[Labels]:
        """Up to `most` combinations of its words' pronunciations, the most usual first; none if a word has none."""
        words = text.split()
        said = self.said(words)
        best: list[tuple[int, Labels]] = [(0, ())]
        for word in words:
            longer = [(rank + i, head + tail) for rank, head in best for i, tail in enumerate(said[word])]
            best = sorted(longer, key=lambda choice: choice[0])[:most]
        return [labels for _, labels in best]

    def words(self, words: Iterable[str]) -> dict[str, LabelGraph]:
        """Each distinct word's graph; an empty one for a word without pronunciations."""
        said = self.said(words)
        graphs = self._graphs
        for word, choices in said.items():
            if word not in graphs:
                graphs[word] = parallel(choices)
        return {word: graphs[word] for word in said}

    def text(self, text: str) -> list[LabelGraph]:
        """The graphs of a text's words, in order."""
        words = text.split()
        graphs = self.words(words)
        return [graphs[word] for word in words]

    def graph(self, pronunciations: Iterable[Pronunciation]) -> LabelGraph:
        """The graph of these pronunciations, of those that the head's phones can say."""
        return parallel(labels for p in pronunciations if (labels := self.labels(p)))


def _pronounce_some(words: Sequence[str]) -> Sequence[Sequence[Pronunciation]]:
    return pronounce(words, missing="empty")


def parallel(sequences: Iterable[Sequence[int]]) -> LabelGraph:
    """Label sequences side by side, each once; common beginnings are shared."""
    distinct = dict.fromkeys(tuple(sequence) for sequence in sequences if len(sequence))
    if not distinct:
        return LabelGraph(1, [])
    nodes: dict[tuple[int, ...], int] = {(): 0}  # beginnings
    arcs: list[tuple[int, int, int]] = []
    ends: list[tuple[int, int]] = []
    for sequence in distinct:
        for length in range(1, len(sequence)):
            head = sequence[:length]
            if head not in nodes:
                nodes[head] = len(nodes)
                arcs.append((nodes[head[:-1]], nodes[head], head[-1]))
        ends.append((nodes[sequence[:-1]], sequence[-1]))
    return LabelGraph(len(nodes) + 1, [*arcs, *((node, len(nodes), label) for node, label in ends)])


class SubwordGraphs:
    """Graphs of segmentations over the labels of a decoder. A label that spans two words is in none of them."""

    def __init__(self, spelling: Spelling) -> None:
        self.charset = spelling.charset
        self._labels: dict[str, list[int]] = {}
        for label, text in enumerate(spelling.matched):
            if text:
                self._labels.setdefault(text, []).append(label)
        self._longest = max(map(len, self._labels), default=0)
        self._kept: dict[tuple[str, bool], LabelGraph | None] = {}
        self._forms: dict[tuple[str, ...], Forms] = {}

    def word(self, word: str, *, first: bool = False) -> LabelGraph | None:
        """The graph of a word in matching form, None if the labels cannot spell it. The `first` needs no separator."""
        key = (word, first)
        if key not in self._kept:
            if len(self._kept) >= KEPT_WORDS:
                self._kept = {}
            self._kept[key] = self._segment(" " + word, first)
        return self._kept[key]

    def text(self, text: str, *, first: bool = True) -> list[LabelGraph] | None:
        """The graphs of a text's words, in order; None if one cannot be spelled. `first`: nothing stands before it."""
        graphs = []
        for place, word in enumerate(text.split()):
            graph = self.word(word, first=first and place == 0)
            if graph is None:
                return None
            graphs.append(graph)
        return graphs

    def forms(self, texts: tuple[str, ...]) -> Forms:
        """The graphs of each text."""
        found = self._forms.get(texts)
        if found is None:
            if len(self._forms) >= KEPT_WORDS:
                self._forms = {}
            inside, leading = ([self.text(one, first=first) for one in texts] for first in (False, True))
            found = Forms(inside, leading)
            self._forms[texts] = found
        return found

    def _segment(self, text: str, first: bool) -> LabelGraph | None:
        size, longest = len(text), self._longest
        spans = [(a, b) for a in range(size) for b in range(a + 1, min(size, a + longest) + 1)]
        arcs = [(a, b, label) for a, b in spans for label in self._labels.get(text[a:b], ())]
        if first:
            arcs += [(0, b, label) for a, b, label in arcs if a == 1]
        arcs.sort()
        useful, reached = {size}, {0}
        for a, b, _ in reversed(arcs):
            if b in useful:
                useful.add(a)
        for a, b, _ in arcs:
            if a in reached and b in useful:
                reached.add(b)
        if size not in reached:
            return None
        return LabelGraph(size + 1, [arc for arc in arcs if arc[0] in reached and arc[1] in useful])


def tempered(log_probs: Any, temperature: float, size: int | None = None, name: str = "log_probs") -> npt.NDArray[Any]:
    """log_probs [T, V] times `temperature` and normalised again: below 1 an overconfident model is made less sure.

    Raises LogProbsError, LogProbsTypeError as `asrbias.alignment.as_matrix` does.
    """
    matrix = as_matrix(log_probs, size, name)
    if temperature == 1.0 or not matrix.size:
        return matrix
    highest = matrix.max(axis=1)
    if not (np.isfinite(highest) & (highest <= HIGHEST)).all():
        raise LogProbsError(f"{name} holds NaN, a value above 0, or a frame of -inf alone; give log_softmax's output.")
    scaled: npt.NDArray[np.float32] = matrix * np.float32(temperature)
    scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return scaled
