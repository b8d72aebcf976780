"""The shortlist of a long list by its sounds, on toy posteriors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from asrbias._core import PhoneGrams, keep_best
from asrbias.alignment import LogProbsError, LogProbsTypeError
from asrbias.entities import Entity, EntityList
from asrbias.heardphones import Heard, PhoneSequences, fit_frames, fit_runs, heard_phones
from asrbias.phones import PHONES
from asrbias.pronunciations import PronouncedList
from asrbias.shortlist import ShortlistError, ShortlistIndex, ShortlistOptions
from asrbias.wordgraphs import PhoneGraphs
from tests.toy_sounds import sounds

# short made-up names, each said by the phones that are given: no two are alike
SYLLABLES = [f"{c} {v}" for c in ("B", "D", "F", "G", "K", "L", "M", "N") for v in ("AA", "IY", "UW", "EY", "OW")]
MANY = [
    Entity("".join(pair).replace(" ", "").lower(), pronunciation=" ".join(pair))
    for pair in itertools.product(SYLLABLES, SYLLABLES)
]
NAMES = ["Healey", "Zurich", "Chesterton", "Bob", "Wilkinson"]
SIEVED = ShortlistOptions(candidates=100)


def chosen(index: ShortlistIndex, listed: EntityList, said: str, most: int = 10) -> list[str]:
    return [listed[n].phrase for n in index.choose(sounds(said, 0.95), most=most)]


@pytest.mark.parametrize("options", [ShortlistOptions(), SIEVED], ids=["aligned", "sieved"])
def test_what_is_said_clearly_comes_first(options: ShortlistOptions) -> None:
    listed = EntityList([*NAMES, *MANY])
    index = ShortlistIndex.of(listed, options=options)
    assert len(index) == len(listed) == 1605
    for name in NAMES:
        found = chosen(index, listed, f"call {name.lower()} now")
        assert found[0] == name and len(found) == len(set(found)) == 10
    assert set(chosen(index, listed, "zurich and chesterton and wilkinson")[:3]) == {
        "Zurich",
        "Chesterton",
        "Wilkinson",
    }


@pytest.mark.parametrize("options", [ShortlistOptions(), SIEVED], ids=["aligned", "sieved"])
def test_the_order_of_the_list_decides_nothing(options: ShortlistOptions) -> None:
    one, other = EntityList([*NAMES, *MANY]), EntityList([*MANY[::-1], *NAMES[::-1]])
    names = [
        chosen(ShortlistIndex.of(listed, options=options), listed, "to zuris by bob", 200) for listed in (one, other)
    ]
    assert names[0] == names[1] and len(names[0]) == 200


def test_a_phone_that_is_wrong_missing_or_too_many_is_forgiven() -> None:
    listed = EntityList([*NAMES, *MANY])
    index = ShortlistIndex.of(listed)
    for said in ("chestertin", "chestton", "chestererton"):
        assert chosen(index, listed, f"see {said} now")[0] == "Chesterton"


def test_short_lists_come_back_whole() -> None:
    index = ShortlistIndex.of(NAMES)
    assert sorted(index.choose(sounds("nothing of these"), most=5)) == [0, 1, 2, 3, 4]
    assert index.choose(sounds("wilkinson"), most=5)[0] == 4
    assert len(index.choose(sounds("wilkinson"), most=4)) == 4
    assert sorted(index.choose(np.zeros((0, 40), np.float32), most=5)) == [0, 1, 2, 3, 4]
    assert ShortlistIndex.of([]).choose(sounds("wilkinson")) == ()


def test_many_pronunciations_crowd_nobody_out() -> None:
    alike = tuple(f"B IY D {vowel}" for vowel in ("UW", "OW", "AO", "UH", "AA", "AW"))  # each of the first 20's
    listed = EntityList([*(Entity(one.phrase, pronunciation=alike) for one in MANY[:20]), *MANY[-20:]])
    index = ShortlistIndex.of(listed, options=ShortlistOptions(finalists=1))
    assert sorted(index.choose(sounds("call bee doo"), most=40)) == list(range(40))
    assert len(index.choose(sounds("call bee doo"), most=30)) == 30


def test_where_nothing_is_heard_nothing_is_chosen() -> None:
    index = ShortlistIndex.of(NAMES)
    silence = np.full((30, 40), np.log(0.01 / 39), np.float32)
    silence[:, 0] = np.log(0.99)
    assert index.choose(silence, most=3) == index.choose(silence[:0], most=3) == ()


def test_any_pronunciation_will_do_and_entities_count_once() -> None:
    listed = EntityList([Entity("Nguyen", sounds_like="win"), "tomato", *NAMES])
    index = ShortlistIndex.of(listed)
    assert chosen(index, listed, "win", 3)[0] == "Nguyen"
    assert chosen(index, listed, "tomato", 3)[0] == "tomato"
    assert sorted(index.choose(sounds("tomato"), most=7)) == list(range(7))


def test_entities_without_pronunciation_keep_a_quarter_of_the_places() -> None:
    long = ["q" * 101 + letter for letter in "abcdef"]  # too long to be pronounced
    listed = EntityList([*long, *NAMES])
    assert PronouncedList.of(listed, listed.forms(), PhoneGraphs()).unpronounced == (0, 1, 2, 3, 4, 5)
    index = ShortlistIndex.of(listed)
    found = index.choose(sounds("healey"), most=8)
    assert found[0] == 6 and sorted(found[:5]) == [6, 7, 8, 9, 10] and found[5:] == (0, 1, 2)
    assert index.choose(sounds("healey"), most=4)[3] == 0
    assert index.choose(sounds("healey"), most=4, text="call qqqqqqd now")[3] == 3
    assert index.choose(sounds("healey")[:0], most=4) == (0,)
    assert ShortlistIndex.of(long).choose(sounds("healey"), most=4) == (0, 1, 2, 3)


def test_entities_that_are_not_looked_for_are_not_chosen() -> None:
    index = ShortlistIndex.of([Entity("Zurich", weight=0.0), "Healey", "healey"])
    assert index.choose(sounds("zurich")) == (1,) and len(index) == 1


def sequences(*labels: Sequence[int]) -> PhoneSequences:
    """Of phones counted from 0."""
    flat = np.array([label for one in labels for label in one], np.uint16)
    return PhoneSequences(flat, np.cumsum([0, *map(len, labels)]).astype(np.int32))


def test_a_fit_is_the_sum_that_it_is_said_to_be() -> None:
    background = np.full(39, -3.0, np.float32)
    log_probs = np.full((6, 40), -8.0, np.float32)
    for frame, label in ((0, 1), (1, 0), (2, 2), (3, 2), (4, 0), (5, 3)):
        log_probs[frame, label] = -0.01
    heard = heard_phones(log_probs, background, temperature=1.0, floor=0.1, smoothing=0.01, blunt=0.5)
    assert heard.odds.shape == (3, 39) and list(heard.odds.argmax(axis=1)) == [0, 1, 2]
    assert heard.presence == pytest.approx(1, abs=0.01)

    def score(*labels: int) -> float:
        return float(fit_runs(heard, sequences(labels), np.arange(1), insertion=-1.0, deletion=-2.0)[0])

    one, two, three = (float(heard.odds[n, n]) for n in range(3))
    assert score(0, 1, 2) == pytest.approx(one + two + three, abs=0.03)
    assert score(0, 2) == pytest.approx(one + three - heard.presence[1], abs=0.03)  # a phone too many was heard
    assert score(0, 5, 1) == pytest.approx(one + two - 2, abs=0.03)  # one was not heard
    assert score(0, 5, 6, 1) == pytest.approx(one + two - 4, abs=0.03)  # nor another one
    assert score(7) == pytest.approx(max(-2.0, float(heard.odds[:, 7].max())), abs=0.03)


def test_a_fit_to_the_frames_is_the_best_path() -> None:
    probabilities = np.full((5, 40), 1e-6)
    for frame, (one, other) in enumerate([(1, 3), (1, 0), (2, 0), (0, 2), (3, 0)]):
        probabilities[frame, [one, other]] = 0.7, 0.3
    log_probs = np.log(probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    heard = heard_phones(
        log_probs, np.full(39, -3.0, np.float32), temperature=1.0, floor=0.1, smoothing=0.01, blunt=0.5
    )
    assert heard.frames.shape == (5, 40)
    short = 0.5 * float(np.log(0.3 / 0.7))  # of a second best label

    def score(*labels: int) -> float:
        return float(fit_frames(heard, sequences(labels), np.arange(1), deletion=-2.0)[0])

    assert score(0) == score(0, 1) == score(0, 1, 2) == pytest.approx(0, abs=1e-3)
    assert score(2, 0, 1, 2) == pytest.approx(short, abs=1e-3)  # the first frame is the third phone instead
    assert score(0, 2) == pytest.approx(short, abs=1e-3)  # blank where the second phone was likelier
    assert score(0, 7, 1) == pytest.approx(-2.0, abs=1e-3)
    assert score(7) == pytest.approx(-2.0, abs=1e-3)


def plain_runs(heard: Heard, labels: list[int], insertion: float, deletion: float) -> float:
    """What fit_runs gives for one sequence, a cell after the other."""
    odds, presence = heard.odds.tolist(), heard.presence.tolist()
    state = [0.0] * (len(odds) + 1)  # of no phone, before the first run and after each
    for label in labels:
        entered = [
            max(state[s], state[s - 1] + odds[s - 1][label] - deletion if s else -np.inf) for s in range(len(state))
        ]
        state = [
            max(entered[s - back] + insertion * sum(presence[s - back : s]) for back in range(min(s, 3) + 1))
            for s in range(len(state))
        ]
    return max(state) + deletion * len(labels)


def plain_frames(heard: Heard, labels: list[int], deletion: float) -> float:
    """What fit_frames gives for one sequence, a cell after the other."""
    frames, best = [-1e3] * len(labels), -1e3
    for row in heard.frames.tolist():
        moved = [
            max(frames[k] + max(row[label + 1], row[0]), (frames[k - 1] if k else 0.0) + row[label + 1])
            for k, label in enumerate(labels)
        ]
        frames = [max(moved[k], (moved[k - 1] if k else 0.0) + deletion) for k in range(len(labels))]
        best = max(best, frames[-1])
    return best


def at_random(random: np.random.Generator, frames: int, phones: int = 39) -> Heard:
    logits = random.normal(0, 3, (frames, phones + 1)).astype(np.float32)
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    background = np.full(phones, -3.0, np.float32)
    return heard_phones(log_probs, background, temperature=0.9, floor=0.06, smoothing=0.01, blunt=0.5)


@pytest.mark.parametrize("frames", [1, 33, 50, 300])
def test_flat_arrays_give_what_one_sequence_at_a_time_gives(frames: int) -> None:
    """Sequences of many lengths, more than fit into one block of the native code, one of which is counted in floats."""
    random = np.random.default_rng(frames)
    heard = at_random(random, frames)
    made = [random.integers(0, 39, length).tolist() for length in [*random.integers(1, 45, 300), 400]]
    rows = np.array([5, 300, 0, *range(20, 290)])
    runs = fit_runs(heard, sequences(*made), rows, insertion=-1.5, deletion=-2.0)
    fitted = fit_frames(heard, sequences(*made), rows, deletion=-2.0)
    compared = rows[: 40 if frames < 300 else 12]
    assert runs[: len(compared)] == pytest.approx([plain_runs(heard, made[n], -1.5, -2.0) for n in compared], abs=0.2)
    assert fitted[: len(compared)] == pytest.approx([plain_frames(heard, made[n], -2.0) for n in compared], abs=2e-2)
    alone = fit_runs(heard, sequences(made[289]), np.arange(1), insertion=-1.5, deletion=-2.0)
    assert runs[-1] == alone[0]


def test_trigrams_are_those_of_the_sequences() -> None:
    log_probs = sounds("healey", 0.9)
    background = np.full(39, -3.0, np.float32)
    heard = heard_phones(log_probs, background, temperature=1.0, floor=0.1, smoothing=0.01, blunt=0.5)
    said = [PHONES.index(phone) for phone in ("HH", "IY", "L", "IY")]
    listed = sequences(said, said[:2], said[:1], said[::-1])
    scores = np.empty(4, np.float32)
    PhoneGrams(listed.labels, listed.offsets, 39).scores(heard.odds, heard.presence, -4.0, scores)
    odds = [float(heard.odds[n, phone]) for n, phone in enumerate(said)]
    expected = (sum(odds[:3]) + sum(odds[1:])) * 2**-0.7
    assert scores[:3] == pytest.approx([expected, sum(odds[:2]), odds[0]], abs=0.25)
    assert scores[3] < scores[0]


def plain_trigrams(heard: Heard, labels: list[int], insertion: float) -> float:
    """The evidence for a sequence of three phones or more: of every other trigram and the last, in the best window."""
    odds, runs = heard.odds.tolist(), len(heard)
    places = sorted({*range(0, len(labels) - 2, 2), len(labels) - 3})

    def late(s: int, phone: int) -> float:
        if s >= runs:
            return -4.0
        return max(odds[s][phone], (odds[s + 1][phone] if s + 1 < runs else -4.0) + insertion * heard.presence[s])

    def evidence(k: int, begin: int) -> float:
        a, b, c = labels[k : k + 3]
        window = range(begin, min(begin + 40, runs))
        return max(-4.0, *(odds[s][a] + late(s + 1, b) + late(s + 2, c) for s in window))

    windows = range(0, max(runs - 20, 1), 20)
    return max(sum(evidence(k, begin) for k in places) for begin in windows) * float(len(places)) ** -0.7


@pytest.mark.parametrize(("frames", "phones"), [(3, 39), (30, 39), (55, 39), (95, 39), (260, 39), (40, 90)])
def test_levels_in_one_number_give_what_nats_give(frames: int, phones: int) -> None:
    """One window, two, four and more; more phones than fit into a row."""
    random = np.random.default_rng(frames)
    heard = at_random(random, frames, phones)
    made = [random.integers(0, phones, length).tolist() for length in random.integers(3, 25, 3000)]
    listed = sequences(*made)
    grams = PhoneGrams(listed.labels, listed.offsets, phones)
    scores = np.empty(len(made), np.float32)
    grams.scores(heard.odds, heard.presence, -4.0, scores)
    step = (float(heard.odds.max()) - min(float(heard.odds.min()), -4.0)) / 85
    assert scores[:40] == pytest.approx([plain_trigrams(heard, one, -4.0) for one in made[:40]], abs=3 * step)
    rows = np.empty(500, np.int32)
    found = grams.best(heard.odds, heard.presence, -4.0, rows)
    chosen = rows[:found]
    assert 490 <= found <= 500 and list(chosen) == sorted({*chosen.tolist()})
    others = np.setdiff1d(np.arange(len(made)), chosen)
    assert scores[chosen].min() >= scores[others].max() - 1e-3 or found == 500


def test_of_sequences_that_are_all_alike_some_are_taken() -> None:
    heard = at_random(np.random.default_rng(0), 50)
    listed = sequences(*([[1, 2, 3, 4]] * 300))
    rows = np.empty(20, np.int32)
    assert PhoneGrams(listed.labels, listed.offsets, 39).best(heard.odds, heard.presence, -4.0, rows) == 20
    assert list(rows) == list(range(20))


@pytest.mark.parametrize("levels", [1, 5, 1000])
def test_the_best_entities_are_kept_with_all_their_pronunciations(levels: int) -> None:
    random = np.random.default_rng(levels)
    owners = np.sort(random.integers(0, 400, 900)).astype(np.int32)
    rows = np.sort(random.choice(900, 500, replace=False)).astype(np.int32)
    scores = random.integers(0, levels, 500).astype(np.float32)  # the fewer levels, the more are alike
    best: dict[int, float] = {}
    for row, score in zip(rows, scores, strict=True):
        best[int(owners[row])] = max(best.get(int(owners[row]), -1.0), float(score))
    for most in (1, 40, len(best) - 1, len(best), 1000):
        wanted = set(sorted(best, key=lambda entity: (-best[entity], entity))[:most])
        kept = np.empty(500, np.int32)
        size = keep_best(owners, rows, scores, most, kept)
        assert kept[:size].tolist() == [n for n, row in enumerate(rows) if int(owners[row]) in wanted]


@pytest.mark.parametrize(
    ("options", "named"),
    [({"candidates": 0}, "candidates"), ({"floor": 2.0}, "floor"), ({"insertion": 1.0}, "insertion"),
     ({"temperature": 0.0}, "temperature"), ({"deletion": float("nan")}, "deletion")],
)  # fmt: skip
def test_bad_options_are_refused(options: dict[str, float], named: str) -> None:
    with pytest.raises(ShortlistError, match=named):
        ShortlistOptions(**options)  # type: ignore[arg-type]


def test_bad_input_is_refused() -> None:
    index = ShortlistIndex.of(NAMES)
    with pytest.raises(ShortlistError, match="most is 0"):
        index.choose(sounds("healey"), most=0)
    with pytest.raises(LogProbsError, match="phone_log_probs"):
        index.choose(sounds("healey")[:, :30])
    with pytest.raises(LogProbsError, match="NaN"):
        index.choose(np.full((3, 40), np.nan, np.float32))
    with pytest.raises(LogProbsTypeError):
        index.choose("healey")
    with pytest.raises(ShortlistError, match="label 37, the phone head has 9"):
        listed = EntityList(["view"])  # V is the 37th
        ShortlistIndex.of(PronouncedList.of(listed, listed.forms(), PhoneGraphs()), phones=PHONES[:9])
