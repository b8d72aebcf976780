"""asrbias.rivals: frequent words that may have been said in an entity's place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from asrbias import _core
from asrbias.decoder import Decoder
from asrbias.entities import EntityList
from asrbias.evidence import Utterance
from asrbias.evidence_options import EvidenceOptions
from asrbias.g2g import phone_rarity
from asrbias.lookup import Lookup
from asrbias.phones import PHONES
from asrbias.pronunciations import Spot, Spots
from asrbias.rivals import COST, COVERED, NONE, RARITY, SHARE, SLACK, UNCOVERED, Rivals, frequent_words, rivals_of
from tests import toy_sounds
from tests.toy_sounds import LABELS

RIVALS = rivals_of(PHONES)
SENTENCE = ("the", "company", "first", "concentrated", "on")


def said(*words: str, sure: float = 0.9, frames: int = 2) -> tuple[npt.NDArray[np.float32], list[tuple[int, int]]]:
    """What a phone head gives of these words, [T, P], each phone `frames` long; each word's first and last frame."""
    labels, places = [0], []
    for word in words:
        own = [PHONES.index(phone) + 1 for phone in frequent_words()[word][1][0] for _ in range(frames)]
        places.append((len(labels), len(labels) + len(own) - 1))
        labels += [*own, 0]
    draw = np.random.default_rng(1)
    probs = draw.dirichlet(np.full(len(PHONES) + 1, 0.3), len(labels)) * (1 - sure) + 1e-4
    probs[np.arange(len(labels)), labels] += sure
    return np.log(probs / probs.sum(1, keepdims=True)).astype(np.float32), places


def spot(entity: int, first: int, last: int) -> Spot:
    return Spot(entity=entity, first=first, last=last, fit=-1.0, rarity=20.0, phones=6)


def test_the_table_holds_words_by_frequency_with_pronunciations_of_known_phones() -> None:
    table = frequent_words()
    costs = [cost for cost, _ in table.values()]
    assert len(table) == 10_000 and costs == sorted(costs) and costs[0] > 0
    assert {phone for _, choices in table.values() for phones in choices for phone in phones} <= set(PHONES)
    assert all(choices and all(choices) for _, choices in table.values())


def test_the_best_rival_is_that_of_an_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    sounds, places = said(*SENTENCE, sure=0.7)
    spots = Spots.of([spot(0, *places[3]), spot(1, *places[1]), spot(2, 0, len(sounds) - 1), spot(3, 5, 5)])
    texts = {0: ("consecrated",), 1: ("company man",), 2: ("nobody",), 3: ("x",)}
    rare, rows, owners = phone_rarity(), [], []
    for word, (_, choices) in frequent_words().items():
        for phones in choices:
            rows.append([PHONES.index(phone) + 1 for phone in phones])
            owners.append((word, RARITY * sum(rare[phone] for phone in phones) - SHARE * frequent_words()[word][0]))
    offsets = np.cumsum([0, *map(len, rows)]).tolist()
    tree = _core.LabelTree([label for row in rows for label in row], offsets, list(range(len(rows))), [0.0] * len(rows))
    found = list(zip(*tree.spot(sounds, 0, COST, SLACK, 10**6), strict=True))
    expected = []
    for one in (spots[n] for n in range(len(spots))):
        own = {word for text in texts[one.entity] for word in text.split()}
        best, size = NONE, one.last - one.first + 1
        for row, first, last, fit in found:
            word, worth = owners[row]
            common = min(last, one.last) - max(first, one.first) + 1
            if word not in own and common >= COVERED * size:
                best = max(best, fit + worth - UNCOVERED * (size - common))
        expected.append(best)
    got = RIVALS.against(sounds, spots, texts)
    # Of a word's places that overlap the tree keeps one: a shorter one may have covered more.
    assert got == pytest.approx(expected, abs=0.7) and (got <= np.array(expected) + 1e-5).all()
    assert got[0] > 0 and got[0] > got[1] > NONE
    monkeypatch.setattr("asrbias.rivals.AT_ONCE", 1)
    assert (RIVALS.against(sounds, spots, texts) == got).all(), "in parts"


def test_what_was_said_is_a_rival_of_what_is_like_it_and_not_of_itself() -> None:
    sounds, places = said(*SENTENCE)
    whole = Spots.of([spot(entity, *places[3]) for entity in range(3)])
    of_other, of_itself, of_part = RIVALS.against(
        sounds, whole, {0: ("consecrated",), 1: ("concentrated",), 2: ("concentrated juice",)}
    ).tolist()
    assert of_other > of_itself + 1 and of_part == of_itself


def test_nothing_to_compare() -> None:
    sounds, _ = said("the")
    assert len(RIVALS.against(sounds, Spots.of([]), {})) == 0
    silent = np.full((40, len(PHONES) + 1), -30.0, np.float32)
    silent[:, 0] = 0.0
    assert RIVALS.against(silent, Spots.of([spot(0, 3, 20)]), {0: ("a",)}).tolist() == [NONE]


def test_words_with_phones_that_the_head_lacks_are_left_out() -> None:
    some = tuple(phone for phone in PHONES if phone != "NG")
    assert len(Rivals(some)._owner) < len(RIVALS._owner)
    none = Rivals(("Q1", "Q2")).against(np.zeros((20, 3), np.float32), Spots.of([spot(0, 3, 9)]), {0: ("a",)})
    assert none.tolist() == [NONE]


def test_a_rival_speaks_against_an_entity_by_its_weight() -> None:
    """By the option's part of it, and nothing else."""
    text, decoder = "the book was", Decoder(LABELS)
    log_probs, sounds = toy_sounds.letters(text), toy_sounds.sounds(text)
    best = decoder.decode(log_probs)[0]
    gains = {}
    for weight in (0.0, 0.5):
        options = replace(EvidenceOptions(), threshold=-100.0, rival_weight=weight)
        lookup = Lookup(decoder.spelling, options=options)
        pronounced = lookup.compile(EntityList(["Bock"]))
        claims = lookup.claims(Utterance(best, best, log_probs, sounds, pronounced))
        gains[weight] = max(claims, key=lambda claim: claim.gain)
    assert gains[0.5].gain == pytest.approx(gains[0.0].gain - 0.5 * gains[0.0].rival)
    assert gains[0.0].rival > 0
