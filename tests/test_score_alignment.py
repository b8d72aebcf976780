"""The banded alignment gives what the rule gives when it is followed to the letter."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias import align_words
from asrbias.align_words import IS21, MINIMUM, Alignment, Costs, align, edits

words = st.lists(st.sampled_from(["a", "b", "c"]), max_size=9)


def by_the_letter(reference: list[str], hypothesis: list[str], costs: Costs) -> Alignment:
    """Whole table, diagonal before insertion before deletion, from the end."""
    cost = {(0, 0): 0}
    back: dict[tuple[int, int], tuple[int, int]] = {}
    for i, j in itertools.product(range(len(reference) + 1), range(len(hypothesis) + 1)):
        ways = []
        if i and j:
            ways.append(((i - 1, j - 1), 0 if reference[i - 1] == hypothesis[j - 1] else costs.substitution))
        if j:
            ways.append(((i, j - 1), costs.indel))
        if i:
            ways.append(((i - 1, j), costs.indel))
        if ways:
            best, step = min(ways, key=lambda way: cost[way[0]] + way[1])  # the first of equals
            cost[i, j], back[i, j] = cost[best] + step, best
    path, here = [], (len(reference), len(hypothesis))
    while here != (0, 0):
        before = back[here]
        path.append((before[0] if before[0] < here[0] else -1, before[1] if before[1] < here[1] else -1))
        here = before
    return path[::-1]


def errors(alignment: Alignment, reference: list[str], hypothesis: list[str]) -> int:
    return sum(i < 0 or j < 0 or reference[i] != hypothesis[j] for i, j in alignment)


@settings(max_examples=400, deadline=None)
@given(words, words, st.sampled_from([IS21, MINIMUM]), st.booleans())
def test_band_equals_whole_table(reference: list[str], hypothesis: list[str], costs: Costs, large: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if large:
            patch.setattr(align_words, "SMALL", 0)
        assert align(reference, hypothesis, costs) == by_the_letter(reference, hypothesis, costs)


@settings(max_examples=200, deadline=None)
@given(words, words)
def test_minimum_has_the_fewest_errors(reference: list[str], hypothesis: list[str]) -> None:
    assert errors(align(reference, hypothesis, MINIMUM), reference, hypothesis) == edits(reference, hypothesis)


def test_is21_prefers_right_words_to_few_errors() -> None:
    reference, hypothesis = "a b c d e f".split(), "d e f x y z".split()
    assert errors(align(reference, hypothesis, IS21), reference, hypothesis) == 6
    reference, hypothesis = "p q r s t".split(), "s t x y z".split()
    assert edits(reference, hypothesis) == 5
    assert errors(align(reference, hypothesis, IS21), reference, hypothesis) == 6  # 3 deleted, 3 inserted: 18 < 20


def test_the_last_of_equal_words_is_aligned() -> None:
    assert align(["a"], ["a", "a"]) == [(-1, 0), (0, 1)]


def test_ten_thousand_words_in_one_line() -> None:
    reference = [f"w{k % 701}" for k in range(10_000)]
    hypothesis = [word for k, word in enumerate(reference) if k % 100]
    hypothesis[50:50] = ["uh"] * 30
    alignment = align(reference, hypothesis)
    assert sum(j < 0 for _, j in alignment) == 100
    assert sum(i < 0 for i, _ in alignment) == 30


def test_too_long_and_too_different_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align_words, "LARGEST", 10)
    with pytest.raises(ValueError, match="split them into shorter utterances"):
        align("a b c d e".split(), "f g h i j".split())
