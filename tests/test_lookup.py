"""Pronunciation lookup by the exact and by the soft rule, on toy posteriors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from asrbias import _core
from asrbias.alignment import LogProbsError
from asrbias.decode_options import DecodeOptions
from asrbias.decoder import Decoder
from asrbias.entities import Entity, EntityList
from asrbias.evidence import Claim, Utterance
from asrbias.evidence_options import EvidenceError, EvidenceOptions
from asrbias.exchange import MARGIN
from asrbias.hypothesis import Hypothesis, Word
from asrbias.lookup import Lookup, accepted
from asrbias.marking import marked
from asrbias.phones import PHONES
from asrbias.placing import EDGES, find_places, forms_of
from asrbias.pronunciations import PronouncedList, Spot, Spots
from asrbias.stretches import Stretch, stretches
from asrbias.variants import VariantOptions
from asrbias.wordgraphs import PhoneGraphs, SubwordGraphs
from tests.toy_sounds import LABELS, WIDE, letters, sounds

DECODER = Decoder(LABELS, options=DecodeOptions(bonus=0.0))
SOFT = EvidenceOptions(threshold=4.0)


@pytest.fixture(params=["exact", "soft"])
def lookup(request: pytest.FixtureRequest) -> Lookup:
    return Lookup(DECODER.spelling, rule=request.param, options=SOFT)


def looked_up(lookup: Lookup, wrote: str, said: str, entities: list[str | Entity], sure: float = 0.6) -> Hypothesis:
    """What becomes of a text whose letters are those of `wrote` where the phones are those of `said`."""
    log_probs = letters(wrote, sure)
    best = DECODER.decode(log_probs)[0]
    assert best.text == wrote
    return lookup(best, log_probs, sounds(said), lookup.compile(EntityList(entities)))


def test_words_that_sound_like_an_entity_become_it(lookup: Lookup) -> None:
    found = looked_up(lookup, "call heely now", "call healey now", ["Zurich", "Healey"])
    assert found.text == "call healey now"
    assert [word.entity for word in found.words] == [None, 1, None]
    assert found.words[1].entity_span == (1, 1) and WIDE <= found.words[1].start < found.words[1].end <= 2 * WIDE
    assert found.score == found.acoustic + found.bias + found.lm + found.phonetic
    assert "".join(LABELS[token] for token in found.tokens) == found.text


def test_two_words_may_be_one_entity(lookup: Lookup) -> None:
    found = looked_up(lookup, "see new port now", "see new port now", ["Newport"], sure=0.99)
    assert [(word.text, word.entity) for word in found.words] == [("see", None), ("newport", 0), ("now", None)]


def test_other_words_stay(lookup: Lookup) -> None:
    plain = DECODER.decode(letters("call heely now", 0.6))[0]
    assert looked_up(lookup, "call heely now", "call healey now", ["Zurich"]) == plain
    assert looked_up(lookup, "call heely now", "call healey now", [Entity("Healey", weight=0.0)]) == plain
    assert looked_up(lookup, "call heely now", "call healey now", []) == plain
    assert looked_up(lookup, "call heely now", "call mister now", ["Healey"]) == plain


def test_the_order_of_the_list_changes_nothing(lookup: Lookup) -> None:
    names: list[str | Entity] = ["Healey", "Haley", "Hailey", "Zurich"]
    one = looked_up(lookup, "call heely now", "call healey now", names)
    other = looked_up(lookup, "call heely now", "call healey now", names[::-1])
    assert one.text == other.text == "call healey now"
    assert one.tokens == other.tokens and one.score == pytest.approx(other.score)


def test_exact_rule_wants_all_phones() -> None:
    exact = Lookup(DECODER.spelling, rule="exact")
    # zurich as Z UH R IH S: one phone of five is another
    assert looked_up(exact, "to suris", "to zuris", ["Zurich"], sure=0.3).text == "to suris"
    lenient = Lookup(DECODER.spelling, options=replace(SOFT, threshold=-3.0))
    assert looked_up(lenient, "to suris", "to zuris", ["Zurich"], sure=0.3).text == "to zurich"


def test_the_threshold_grows_with_the_list() -> None:
    lookup = Lookup(DECODER.spelling, options=SOFT)
    best, log_probs, phones = DECODER.decode(letters("heely", 0.6))[0], letters("heely", 0.6), sounds("healey")
    gains = []
    for names in (["Healey"], ["Healey", *(f"{a}or{b}an" for a in "bdfgklmnprst" for b in "bdfgklmnprst")]):
        pronounced = lookup.compile(EntityList(names))
        claims = lookup.claims(Utterance(best, best, log_probs, phones, pronounced))
        assert pronounced.size == len(names)
        gains.append(next(one.gain for one in claims if names[one.spot.entity] == "Healey"))
    assert gains[0] - gains[1] == pytest.approx(SOFT.growth * np.log(145))


def test_evidence_is_the_sum_that_it_is_said_to_be() -> None:
    log_probs, phones = letters("heely", 0.6), sounds("healey")
    best = DECODER.decode(log_probs)[0]
    lookup = Lookup(DECODER.spelling, options=SOFT)
    pronounced = lookup.compile(EntityList(["Healey"]))
    (claim,) = lookup.claims(Utterance(best, best, log_probs, phones, pronounced))
    o, spot = SOFT, claim.spot
    away = np.log((spot.last + 1 - spot.first) / (spot.phones * 1.57)) ** 2
    expected = o.phone_weight * spot.fit + o.rarity_weight * spot.rarity - o.pace_weight * min(1, away) - o.threshold
    texts = o.subword_weight * max(-8, claim.subwords) + o.context_weight * max(-8, claim.context)
    expected += o.letter_weight * 6 + texts
    assert claim.gain == pytest.approx(expected) and not claim.heard and claim.subwords < 0
    found = lookup.put(best, [claim], log_probs, pronounced)
    assert found.score == pytest.approx(best.score + claim.gain)
    assert lookup.put(found, [claim], log_probs, pronounced) is found  # it is there
    heard = DECODER.decode(letters("healey"))[0]
    (same,) = lookup.claims(Utterance(heard, heard, letters("healey"), phones, pronounced))
    assert same.heard and same.subwords == pytest.approx(0, abs=0.1) and same.gain > claim.gain + o.heard


def test_proposed_entities_alone_are_looked_for() -> None:
    log_probs, phones = letters("heely zurik"), sounds("healey zurich")
    best = DECODER.decode(log_probs)[0]
    lookup = Lookup(DECODER.spelling, options=SOFT)
    pronounced = lookup.compile(EntityList(["Healey", "Zurich"]))
    assert {one.spot.entity for one in lookup.claims(Utterance(best, best, log_probs, phones, pronounced))} == {0, 1}
    assert {one.spot.entity for one in lookup.claims(Utterance(best, best, log_probs, phones, pronounced), [1])} == {1}
    assert lookup.claims(Utterance(best, best, log_probs, phones, pronounced), []) == []


def claim(entity: int, first: int, last: int, gain: float) -> Claim:
    spot = Spot(entity=entity, first=first, last=last, fit=0.0, rarity=1.0, phones=3)
    return Claim(spot=spot, letters=5.0, rival=-10.0, subwords=0.0, context=0.0, heard=False, attended=0.0, gain=gain)


def test_of_overlapping_claims_the_best_is_accepted() -> None:
    claims = [claim(0, 0, 9, 1.0), claim(1, 9, 20, 3.0), claim(2, 21, 30, 0.0), claim(3, 40, 50, -0.1)]
    assert [one.spot.entity for one in accepted(claims)] == [1, 2]
    assert accepted([]) == []


def said(text: str, ends: list[float]) -> Hypothesis:
    """Words that end at these frames, each of 5 frames at most."""
    words = tuple(
        Word(text=word, start=max(end - 5.0, before), end=end, confidence=0.5)
        for word, before, end in zip(text.split(), [0.0, *ends], ends, strict=False)
    )
    return Hypothesis(text=text, tokens=(), score=0, acoustic=0, bias=0, lm=0, words=words, frames=())


def near(hypothesis: Hypothesis, frame: int) -> list[int]:
    """Boundaries between words within MARGIN frames, the nearest of all in any case."""
    left = [-np.inf, *(word.end for word in hypothesis.words)]
    right = [*(word.start for word in hypothesis.words), np.inf]
    away = [max(0.0, a - frame, frame - b) for a, b in zip(left, right, strict=True)]
    order = sorted(range(len(left)), key=lambda n: away[n])[:EDGES]
    return [n for n in order if away[n] <= MARGIN] or order[:1]


def test_edges_are_looked_for_among_the_boundaries_that_are_near() -> None:
    random = np.random.default_rng(0)
    for count in (0, 1, 7):
        ends = np.cumsum(random.integers(2, 20, count)).tolist()
        hypothesis = said(" ".join("abcdefg"[:count]), [float(end) for end in ends])
        starts = [word.start for word in hypothesis.words]
        for frame in random.integers(-5, 120, 40).tolist():
            found = _core.near_boundaries(starts, [float(end) for end in ends], frame, EDGES, MARGIN)
            assert found == near(hypothesis, frame)


@pytest.mark.parametrize("longest", [500, 80])  # in one stretch and in several
def test_places_are_those_of_trying_all(longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asrbias.placing.stretches", partial(stretches, longest=longest))
    text = "call heely now and new port then see zurik"
    log_probs = letters(text, 0.5)
    hypothesis = DECODER.decode(log_probs)[0]
    graphs = SubwordGraphs(DECODER.spelling)
    pronounced = Lookup(DECODER.spelling, options=SOFT).compile(
        EntityList([Entity("Healey", sounds_like=("heely",)), "Newport", "Zurich", "New York"])
    )
    random = np.random.default_rng(1)
    spots = [
        Spot(entity=int(entity), first=int(first), last=int(first) + 9, fit=0.0, rarity=1.0, phones=5)
        for entity, first in zip(random.integers(0, 4, 30), random.integers(0, len(log_probs) - 9, 30), strict=True)
    ]
    arrays = Spots.of(spots)
    places = find_places(hypothesis, arrays, forms_of(arrays, pronounced, graphs), log_probs, graphs, DECODER.blank)
    parts = stretches(hypothesis, len(log_probs), longest)
    assert (len(parts) > 1) == (longest < 500)
    for n, spot in enumerate(spots):
        part = next(one for one in parts if one.begin <= (spot.first + spot.last) // 2 < one.end)
        words = [word.text for word in hypothesis.words[part.first : part.last]]
        frames = _core.Frames(np.ascontiguousarray(log_probs[part.begin : part.end]), DECODER.blank)
        trellis = _core.Exchange(frames, graphs.text(" ".join(words), first=part.first == 0) or [])
        edges = [near_in(hypothesis, part, at) for at in (spot.first, spot.last + 1)]
        begin = max(0, spot.first - MARGIN - part.begin)
        end = min(part.end - part.begin, spot.last + 1 + MARGIN - part.begin)
        tried = [
            (trellis.exchanged([(i, j, graphs.text(form, first=part.first + i == 0) or [], begin, end)])[0], f, i, j)
            for i in edges[0] for j in edges[1] if i <= j
            for f, form in enumerate(pronounced.texts[spot.entity])
        ]  # fmt: skip
        best = max(tried, key=lambda one: one[0], default=(-np.inf, -1, 0, 0))
        if best[0] == -np.inf:
            assert places.form[n] == -1
            continue
        assert places.gain[n] == best[0] - trellis.score
        assert (places.form[n], places.first[n] - part.first, places.last[n] - part.first) == best[1:]


def near_in(hypothesis: Hypothesis, part: Stretch, frame: int) -> list[int]:
    return near(replace(hypothesis, words=hypothesis.words[part.first : part.last]), frame)


def test_what_passes_are_the_claims_that_pass() -> None:
    log_probs, phones = letters("call heely now see zurik", 0.6), sounds("call healey now see zurich")
    best = DECODER.decode(log_probs)[0]
    names: list[str | Entity] = ["Healey", "Haley", "Zurich", "Zoo", "Manhattan", "Call", "Callie"]
    passed = 0
    for threshold in (-20.0, 0.0, 4.0, 8.0, 12.0, 40.0):
        for written in (None, DECODER.decode(log_probs, ["Heely"])[0]):
            lookup = Lookup(DECODER.spelling, options=replace(SOFT, threshold=threshold, written=3.0, rival_weight=0.4))
            pronounced = lookup.compile(EntityList(names))
            read = Utterance(best, best, log_probs, phones, pronounced, biased=written)
            claims = lookup.claims(read)
            more = lookup.claims(read, {0, 5})
            every = {one.spot: one for one in [*claims, *more]}
            expected = sorted((one for one in every.values() if one.gain >= 0), key=lambda one: repr(one.spot))
            found = lookup.passing(read, [None, {0, 5}])
            assert sorted(found, key=lambda one: repr(one.spot)) == expected
            assert lookup.passing(read, []) == []
            passed += len(found)
    assert passed > 10


def test_listed_phrases_that_are_there_are_marked() -> None:
    listed = EntityList(["new york", "york", "paris"])
    pronounced = PronouncedList.of(listed, listed.forms(), PhoneGraphs(PHONES))
    found = marked(said("in new york new and york paris", [9.0 * n for n in range(1, 8)]), pronounced)
    assert [(word.entity, word.entity_span) for word in found.words] == [
        (None, None), (0, (1, 2)), (0, (1, 2)), (None, None), (None, None), (1, (5, 5)), (2, (6, 6)),
    ]  # fmt: skip
    plain = said("nothing of it", [9.0, 18.0, 27.0])
    assert marked(plain, pronounced) is plain
    begun = said("new nothing of it", [9.0, 18.0, 27.0, 36.0])  # "new" is only the beginning of one
    assert marked(begun, pronounced) is begun


def test_hypotheses_that_nobody_has_looked_at_are_marked_when_somebody_does() -> None:
    pronounced = Lookup(DECODER.spelling, options=SOFT).compile(EntityList(["see zurich", "now"]))
    log_probs = letters("call now see zurich")
    looked, fresh = (DECODER.decode(log_probs)[0] for _ in range(2))
    assert looked.words
    one, other = marked(looked, pronounced), marked(fresh, pronounced)
    assert "words" in vars(one) and "words" not in vars(other)
    assert one == other and [word.entity for word in other.words] == [None, 1, 0, 0]
    assert fresh == looked and fresh.words[1].entity is None


def test_other_pronunciations_are_found_too() -> None:
    names: list[str | Entity] = ["Kyiv"]
    plain = Lookup(DECODER.spelling, options=SOFT)
    more = Lookup(DECODER.spelling, options=SOFT, variants=VariantOptions(spellings=0, pronunciations=6))
    assert len(more.compile(EntityList(names))) > len(plain.compile(EntityList(names)))


def test_bad_options() -> None:
    with pytest.raises(ValueError, match="The rule 'best' is not known; choose one of soft, exact"):
        Lookup(DECODER.spelling, rule="best")
    for wrong in ({"cost": -1.0}, {"temperature": 0.0}, {"keep": -1}, {"heard": "much"}, {"growth": float("nan")}):
        with pytest.raises(EvidenceError, match=next(iter(wrong))):
            EvidenceOptions(**wrong)


def test_bad_matrices(lookup: Lookup) -> None:
    log_probs, phones = letters("heely"), sounds("healey")
    best = DECODER.decode(log_probs)[0]
    pronounced = lookup.compile(EntityList(["Healey"]))
    with pytest.raises(LogProbsError, match="20 frames and phone_log_probs 19"):
        lookup(best, log_probs, phones[:-1], pronounced)
    bad = phones.copy()
    bad[3, 3] = np.nan
    with pytest.raises(LogProbsError, match="NaN"):
        lookup(best, log_probs, bad, pronounced)
