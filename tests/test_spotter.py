"""Spotting of listed label sequences (native/spotter.hpp)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias import _core
from asrbias.entities import Entity, EntityList
from asrbias.pronunciations import PronouncedList, Spot, Spots
from asrbias.wordgraphs import PhoneGraphs
from tests.ctc_reference import best
from tests.toy_sounds import WIDE, sounds

SIZE = 4
sequences = st.lists(
    st.lists(st.integers(1, SIZE - 1), min_size=1, max_size=3).map(tuple), min_size=1, max_size=5, unique=True
)
WHOLE = {"cost": 1000.0, "slack": 1000.0, "keep": 100}


def rows_of(spotted: tuple[np.ndarray, ...]) -> list[tuple[float, ...]]:
    """(row, first, last, nats) of each spot."""
    return list(zip(*(column.tolist() for column in spotted), strict=True))


def tree(rows: list[tuple[int, ...]], rewards: list[float]) -> _core.LabelTree:
    offsets = np.cumsum([0, *map(len, rows)]).tolist()
    return _core.LabelTree([n for row in rows for n in row], offsets, list(range(len(rows))), rewards)


def fit(log_probs: npt.NDArray[np.float32], labels: tuple[int, ...], first: int, last: int) -> float:
    """The best path with labels in the first and the last frame, less the best label of each frame."""
    part = log_probs[first : last + 1].copy()
    excess = float(part.max(1).sum())
    part[0, 0] = part[-1, 0] = -np.inf  # no blank there
    return best(part, labels) - excess


@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 8), rows=sequences)
@settings(max_examples=100, deadline=None)
def test_the_best_place_is_that_of_trying_all(seed: int, frames: int, rows: list[tuple[int, ...]]) -> None:
    generator = np.random.default_rng(seed)
    log_probs = np.log(generator.dirichlet(np.full(SIZE, 0.5), size=frames) + 1e-6).astype(np.float32)
    rewards = generator.uniform(0, 3, len(rows)).tolist()
    everywhere = [
        (fit(log_probs, row, a, b) + reward, a, b, n)
        for n, (row, reward) in enumerate(zip(rows, rewards, strict=True))
        for a in range(frames)
        for b in range(a, frames)
    ]
    worth = max(one[0] for one in everywhere)
    found = rows_of(tree(rows, rewards).spot(log_probs, 0, **WHOLE))  # type: ignore[arg-type]
    if worth == -math.inf:
        assert found == []
        return
    row, first, last, score = found[0]
    assert score + rewards[row] == pytest.approx(worth, abs=1e-3)
    assert score == pytest.approx(fit(log_probs, rows[row], first, last), abs=1e-3)
    for n, (row, first, last, _) in enumerate(found):  # of one sequence no two overlap
        assert not any(r == row and first <= b and a <= last for r, a, b, _ in found[:n])


def test_what_fits_too_badly_is_not_found() -> None:
    log_probs = np.log(np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], np.float32))
    short = math.log(0.1 / 0.8)  # of the label that is not there
    assert len(rows_of(tree([(1, 2)], [0.0]).spot(log_probs, 0, 0.0, 0.1, 9))) == 1
    wrong = tree([(2, 1)], [0.0])
    assert rows_of(wrong.spot(log_probs, 0, -short - 0.1, 0.0, 9)) == []
    assert [spot[:3] for spot in rows_of(wrong.spot(log_probs, 0, -short + 0.1, 0.0, 9))] == [(0, 0, 1)]
    assert rows_of(wrong.spot(log_probs, 0, 9.0, 0.0, 0)) == []


def test_bad_values() -> None:
    with pytest.raises(ValueError, match="offsets"):
        _core.LabelTree([1, 2], [0, 1], [0], [0.0])
    with pytest.raises(ValueError, match="owner"):
        _core.LabelTree([1, 2], [0, 2], [], [0.0])
    with pytest.raises(ValueError, match="too few for label 3"):
        tree([(3,)], [0.0]).spot(np.zeros((2, 2), np.float32), 0, 1.0, 1.0, 9)
    with pytest.raises(ValueError, match="NaN"):
        tree([(1,)], [0.0]).spot(np.full((2, 2), np.nan, np.float32), 0, 1.0, 1.0, 9)


def compiled(entities: EntityList, variants: int = 0) -> PronouncedList:
    return PronouncedList.of(entities, entities.forms(), PhoneGraphs(), variants=variants)


def spots(pronounced: PronouncedList, text: str) -> list[Spot]:
    return list(pronounced.spot(sounds(text), cost=1.0, slack=1.0, keep=10))


def test_listed_entities_are_found_where_they_are_said() -> None:
    entities = EntityList(["Zurich", "Manhattan"])
    pronounced = compiled(entities)
    found = spots(pronounced, "now manhattan and zurich")
    assert [(entities[one.entity].phrase, one.first // WIDE) for one in found] == [("Manhattan", 1), ("Zurich", 3)]
    assert found[0].fit == pytest.approx(0) and found[0].phones == 8 and found[0].rarity > found[1].rarity > 0
    assert spots(pronounced, "call him now") == []
    only = pronounced.spot(sounds("manhattan zurich"), cost=1.0, slack=1.0, keep=10, only=[0])
    assert [one.entity for one in only] == [0]
    assert not len(pronounced.spot(sounds("zurich"), cost=1.0, slack=1.0, keep=10, only=[]))


def test_spots_in_arrays_are_the_spots() -> None:
    some = [
        Spot(entity=n % 3, first=n, last=n + 4, fit=-n / 7, rarity=n / 3, phones=n + 1) for n in (5, 2, 9, 2)
    ]
    arrays = Spots.of(some)
    assert list(arrays) == some and len(arrays) == 4 and list(Spots.of([])) == []
    assert [type(value) for value in vars(arrays[0]).values()] == [int, int, int, float, float, int]
    assert list(arrays.chosen(np.array([True, False, True, False]))) == [some[0], some[2]]
    other = Spot(entity=7, first=0, last=1, fit=0.0, rarity=0.0, phones=1)
    assert list(arrays.joined(Spots.of([some[2], other]))) == [*some, other]
    assert list(arrays.joined(Spots.of(some[:1]))) == some == list(arrays.joined(Spots.of([])))


def test_what_the_user_says_about_pronunciation() -> None:
    entities = EntityList(
        [Entity("Nguyen", pronunciation=("W IH N",)), Entity("Cholmondeley", sounds_like=("chumley",))]
    )
    pronounced = compiled(entities)
    assert len([row for row in pronounced.entity if row == 0]) == 1  # the lexicon's are not asked for
    assert [one.entity for one in spots(pronounced, "chumley")] == [1]
    assert pronounced.exactly(PhoneGraphs().labels(["W", "IH", "N"]) or ()) == 0
    assert pronounced.exactly((1, 1)) is None


def test_weights_and_order() -> None:
    quiet = compiled(EntityList([Entity("Zurich", weight=-1.0), "Manhattan"]))
    assert set(quiet.entity) == {1} and quiet.size == 1
    one = compiled(EntityList(["Zurich", "Manhattan"]))
    other = compiled(EntityList(["Manhattan", "Zurich"]))
    text = "manhattan zurich"
    assert [(s.first, s.last, s.fit) for s in spots(one, text)] == [
        (s.first, s.last, s.fit) for s in spots(other, text)
    ]
    assert len(compiled(EntityList(["Zurich"]), variants=3)) > len(compiled(EntityList(["Zurich"])))
