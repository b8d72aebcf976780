"""The native graphs of labels against enumeration: every choice of every word, one after the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias import _core
from asrbias.alignment import LogProbsError
from asrbias.phrases import Spelling
from asrbias.wordgraphs import PhoneGraphs, SubwordGraphs, parallel, tempered
from tests.ctc_reference import best, total

SIZE = 4  # labels; 0 is the blank
Word = list[tuple[int, ...]]  # the choices

ways = st.lists(st.integers(1, SIZE - 1), min_size=1, max_size=2).map(tuple)
word_choices = st.lists(ways, min_size=1, max_size=2, unique=True)
texts = st.lists(word_choices, min_size=1, max_size=3)
seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(2, 12)


def random_log_probs(seed: int, frames: int) -> npt.NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(scale=3.0, size=(frames, SIZE))
    return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)), np.float32)


def over_choices(
    log_probs: npt.NDArray[np.float32], text: Sequence[Word], score: Callable[..., float]
) -> list[tuple[float, tuple[tuple[int, ...], ...]]]:
    return [(score(log_probs, [n for way in some for n in way]), some) for some in itertools.product(*text)]


def summed(log_probs: npt.NDArray[np.float32], text: Sequence[Word]) -> float:
    return float(np.logaddexp.reduce([score for score, _ in over_choices(log_probs, text, total)]))


def same(a: float, b: float) -> bool:
    return a == b or math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4)


@given(seed=seeds, frames=lengths, text=texts)
@settings(max_examples=60, deadline=None)
def test_score_of_a_text_is_the_sum_over_its_words_choices(seed: int, frames: int, text: list[Word]) -> None:
    log_probs = random_log_probs(seed, frames)
    found = _core.text_scores(_core.Frames(log_probs, 0), [[parallel(word) for word in text]])
    assert same(found[0], summed(log_probs, text))


@given(seed=seeds, frames=lengths, text=texts)
@settings(max_examples=60, deadline=None)
def test_best_way_is_the_best_choice_and_its_viterbi_path(seed: int, frames: int, text: list[Word]) -> None:
    log_probs = random_log_probs(seed, frames)
    graphs, given_frames = [parallel(word) for word in text], _core.Frames(log_probs, 0)
    expected = max(score for score, _ in over_choices(log_probs, text, best))
    if expected == -math.inf:
        with pytest.raises(ValueError):
            _core.best_way(given_frames, graphs)
        return
    first, last, labels, score = _core.best_way(given_frames, graphs)
    assert same(score, expected)
    assert all(tuple(way) in word for way, word in zip(labels, text, strict=True))
    assert same(best(log_probs, [label for way in labels for label in way]), expected)
    assert all(a <= b for a, b in zip(first, last, strict=True)) and all(
        a < b for a, b in zip(last, first[1:], strict=False)
    )


@given(seed=seeds, frames=lengths, text=texts, other=word_choices, data=st.data())
@settings(max_examples=60, deadline=None)
def test_exchanged_words_score_as_the_text_with_them(
    seed: int, frames: int, text: list[Word], other: Word, data: st.DataObject
) -> None:
    log_probs = random_log_probs(seed, frames)
    if summed(log_probs, text) == -math.inf:
        return
    trellis = _core.Exchange(_core.Frames(log_probs, 0), [parallel(word) for word in text])
    assert same(trellis.score, summed(log_probs, text))
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, len(text)))
    found = trellis.exchanged([(first, last, [parallel(other)], 0, frames)])[0]
    assert same(found, summed(log_probs, [*text[:first], other, *text[last:]]))


def test_a_long_text_does_not_underflow() -> None:
    text: list[Word] = [[(1, 2)], [(3,)]] * 400
    labels = [n for word in text for n in word[0]]
    rows = np.full((4 * len(labels), SIZE), 0.2)
    rows[np.arange(0, len(rows), 4), labels] = 0.4
    log_probs = np.log(rows / rows.sum(1, keepdims=True)).astype(np.float32)
    found = _core.text_scores(_core.Frames(log_probs, 0), [[parallel(word) for word in text]])[0]
    assert found < -1000 and same(found, total(log_probs, labels))


def test_impossible_and_empty_texts() -> None:
    log_probs = random_log_probs(3, 2)
    frames = _core.Frames(log_probs, 0)
    assert _core.text_scores(frames, [[parallel([(1, 2, 3)])]]) == [-math.inf]
    assert same(_core.text_scores(frames, [[parallel([])]])[0], float(log_probs[:, 0].sum()))
    with pytest.raises(ValueError, match="label"):
        _core.text_scores(frames, [[parallel([(SIZE,)])]])
    with pytest.raises(ValueError):
        _core.LabelGraph(2, [(1, 0, 1)])
    for bad in (math.nan, math.inf, 0.5):
        wrong = log_probs.copy()
        wrong[1, 1] = bad
        with pytest.raises(ValueError, match="log_probs"):
            _core.Frames(wrong, 0)


def test_every_segmentation_of_a_word_is_in_its_graph() -> None:
    spelling = Spelling.of(["<b>", "▁", "a", "b", "▁a", "ab", "▁ab", "ba"], 0)
    graphs = SubwordGraphs(spelling)
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(8), size=6)).astype(np.float32)
    middle = [[(1, 2, 3), (4, 3), (1, 5), (6,)]]
    graph = graphs.word("ab")
    assert graph is not None
    found = _core.text_scores(_core.Frames(log_probs, 0), [[graph]])[0]
    assert same(found, summed(log_probs, middle))
    start = graphs.word("ab", first=True)  # what nothing stands before needs no separator
    assert start is not None
    assert same(
        _core.text_scores(_core.Frames(log_probs, 0), [[start]])[0], summed(log_probs, [[*middle[0], (2, 3), (5,)]])
    )
    assert graphs.word("abc") is None and graphs.text("ab abc") is None
    assert len(graphs.text("ab ab") or []) == 2


def test_pronunciations_side_by_side() -> None:
    table = {"tomato": (("T", "AH"), ("T", "AA")), "hm": (), "odd": (("XX",),)}
    asked: list[list[str]] = []

    def pronounce(words: Sequence[str]) -> list[tuple[tuple[str, ...], ...]]:
        asked.append(list(words))
        return [table[word] for word in words]

    graphs = PhoneGraphs(["T", "AA", "AH"], pronounce)
    assert graphs.said(["tomato", "hm"]) == {"tomato": ((1, 3), (1, 2)), "hm": ()}
    assert graphs.said(["odd", "tomato"])["odd"] == () and asked == [["tomato", "hm"], ["odd"]]
    assert graphs.words(["hm"])["hm"].empty and not graphs.text("tomato")[0].empty
    assert graphs.phrase("tomato tomato", 3) == [(1, 3, 1, 3), (1, 3, 1, 2), (1, 2, 1, 3)]
    assert graphs.phrase("tomato hm", 3) == []


def test_tempered_posteriors_sum_to_one() -> None:
    log_probs = random_log_probs(5, 7)
    soft = tempered(log_probs, 0.5)
    assert np.allclose(np.exp(soft).sum(1), 1, atol=1e-5) and soft.max() < log_probs.max()
    assert np.array_equal(tempered(log_probs, 1.0), log_probs)
    with pytest.raises(LogProbsError, match="phones holds NaN"):
        tempered(np.full((2, 3), np.nan, np.float32), 0.5, name="phones")
