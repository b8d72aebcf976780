"""Entities and their lists: checks, merging, the phrase table, the report."""

from __future__ import annotations

import copy
import pickle
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.decoder import Decoder
from asrbias.entities import Entity, EntityError, EntityList, EntityTypeError
from asrbias.phrases import LabelsError
from asrbias.report import GUARDED

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz' ")

names = st.sampled_from(
    [
        "Kyiv",
        "kyiv",
        "KYIV",
        "Łódź",
        "Lodz",
        "U.N.",
        "UN",
        "un",
        "AT&T",
        "2024",
        "will",
        "東京",
        "!!!",
        "O'Neill",
        "ONeill",
    ]
)
entities = st.builds(
    Entity,
    names,
    display=st.none() | names,
    weight=st.sampled_from([-1.0, 0.0, 1.0, 2.0]),
    sounds_like=st.lists(names, max_size=2).map(tuple),
)


def table(listed: EntityList, charset: frozenset[str] | None = LETTERS) -> list[tuple[str, str, float]]:
    """(matching form, what is shown, weight) of each phrase."""
    phrases = listed.forms(charset)
    owners = [listed[i].shown for i in phrases.entity]
    return list(zip(phrases.texts, owners, phrases.weight.tolist(), strict=True))


# --- one entity ---


def test_an_entity_shows_its_display_form_or_its_phrase() -> None:
    assert Entity("kyiv", display="Kyiv").shown == "Kyiv"
    assert Entity("  New \n York ").shown == "New York"
    assert Entity("\u200eKyiv\ufeff") == Entity("Kyiv")
    assert Entity("Lódz", display="").display is None
    assert Entity("e\u0301") == Entity("é")


def test_an_alias_may_be_a_bare_string() -> None:
    assert Entity("Kyiv", sounds_like="keev").sounds_like == ("keev",)
    assert Entity("Kyiv", sounds_like=["keev", "keev", " "]).sounds_like == ("keev",)  # type: ignore[arg-type]
    assert Entity("Kyiv", pronunciation="k iy1 v").pronunciation == ("K IY1 V",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"phrase": 7}, "phrase is text .str., not int 7"),
        ({"phrase": "a", "display": b"A"}, "display is text"),
        ({"phrase": "a", "weight": float("nan")}, "weight of 'a' is nan; it must be a finite number from -10 to 10"),
        ({"phrase": "a", "weight": 10**400}, "weight of 'a' is 1000"),
        ({"phrase": "a", "weight": -10.01}, "from -10 to 10"),
        ({"phrase": "a", "weight": True}, "weight of 'a' is True"),
        ({"phrase": "a", "weight": "2"}, "weight of 'a' is '2'"),
        ({"phrase": "a", "sounds_like": 3}, "sounds_like of 'a' is a list of str, not int"),
        ({"phrase": "a", "sounds_like": [None]}, "not NoneType"),
        ({"phrase": "Kyiv", "pronunciation": "K XX V"}, "'Kyiv': 'XX' .* allowed"),
        ({"phrase": "\ud800"}, "half a character"),
    ],
)
def test_bad_fields_give_one_sentence(fields: dict[str, object], message: str) -> None:
    with pytest.raises((EntityError, EntityTypeError), match=message):
        Entity(**fields)  # type: ignore[arg-type]


def test_unknown_fields_are_named() -> None:
    assert Entity.from_fields({"phrase": "Kyiv", "weight": 2, "display": None}) == Entity("Kyiv", weight=2)
    with pytest.raises(EntityError, match=r"Unknown field 'boost'.*phrase, display, weight"):
        Entity.from_fields({"phrase": "Kyiv", "boost": 2})
    with pytest.raises(EntityError, match="needs the field 'phrase'"):
        Entity.from_fields({"weight": 2})


# --- the list ---


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("abc", r"list of strings, not one str: write \['abc'\]"),
        (b"abc", "not one bytes"),
        (Path("names.txt"), r"EntityList.read\('names.txt'\)"),
        (5, "not int"),
        (["Kyiv", None], "Item 1 of the entity list is NoneType None"),
        (["Kyiv", 3.5], "Item 1 of the entity list is float"),
        ([b"Kyiv"], "Item 0 of the entity list is bytes"),
        ([("Kyiv", 2.0)], "Item 0 of the entity list is tuple"),
    ],
)
def test_what_is_no_list_of_entities_is_refused(items: object, message: str) -> None:
    with pytest.raises(EntityTypeError, match=message):
        EntityList(items)  # type: ignore[arg-type]
    with pytest.raises(EntityTypeError, match=message):
        EntityList.coerce(items)  # type: ignore[arg-type]


def test_a_list_is_an_immutable_sequence() -> None:
    listed = EntityList(["Kyiv", Entity("Łódź", weight=2), {"phrase": "Oslo", "weight": -1}])
    assert [entity.phrase for entity in listed] == ["Kyiv", "Łódź", "Oslo"]
    assert listed[-1].weight == -1
    assert listed[:2] == EntityList(["Kyiv", Entity("Łódź", weight=2)])
    assert Entity("Kyiv") in listed and len(listed) == 3
    with pytest.raises(TypeError):
        listed[0] = Entity("x")  # type: ignore[index]


def test_coerce_keeps_what_is_a_list() -> None:
    listed = EntityList(["Kyiv"])
    assert EntityList.coerce(None) is None
    assert EntityList.coerce(listed) is listed
    assert EntityList.coerce(name for name in ["Kyiv"]) == listed
    assert EntityList({"Kyiv": 2.0})[0] == Entity("Kyiv", weight=2)


def test_equal_lists_are_equal_and_hash_equal() -> None:
    a, b = EntityList(["Kyiv", "Oslo"]), EntityList(["Kyiv", "Oslo"])
    assert a == b and hash(a) == hash(b)
    assert a != EntityList(["Oslo", "Kyiv"]) and a.digest == EntityList(["Oslo", "Kyiv"]).digest
    assert a.digest != EntityList(["Kyiv", Entity("Oslo", weight=2)]).digest
    assert pickle.loads(pickle.dumps(a)) == copy.deepcopy(a) == a


def test_duplicates_merge_and_are_reported() -> None:
    listed = EntityList(["Kyiv", Entity("Kyiv", weight=2, sounds_like="keev"), "Kyiv ", "kyiv"])
    assert list(listed) == [Entity("Kyiv", weight=2, sounds_like="keev"), Entity("kyiv")]
    first, second = listed.report().rows
    assert first.reason == "Listed 3 times; merged into one, with the largest weight, 2."
    assert second.status == "merged" and second.reason == "'kyiv' is matched for 'Kyiv' (weight 2)."


# --- the phrase table ---


def test_a_table_is_sorted_and_typed() -> None:
    listed = EntityList([Entity("Kyiv", weight=2, sounds_like="keev"), "AT&T"])
    phrases = listed.forms(LETTERS)
    assert phrases.texts == ("a t and t", "at and t", "keev", "kyiv")
    assert phrases.entity.dtype == np.int32 and phrases.entity.tolist() == [1, 1, 0, 0]
    assert phrases.weight.dtype == np.float32 and phrases.weight.tolist() == [1, 1, 2, 2]
    assert len(phrases) == 4
    assert listed.forms(LETTERS) is phrases
    with pytest.raises(ValueError, match="read-only"):
        phrases.weight[0] = 5


def test_an_empty_table() -> None:
    for listed in (EntityList(), EntityList(["東京"])):
        assert listed.forms(LETTERS).texts == () and len(listed.forms().entity) == 0


def test_a_charset_without_apostrophe_or_with_capitals() -> None:
    listed = EntityList(["O'Neill", "Kyiv"])
    assert listed.forms(frozenset("ONEILKYV")).texts == ("kyiv", "oneill")
    assert listed.forms(frozenset("onei")).texts == ()


@pytest.mark.parametrize(
    ("items", "owner"),
    [
        ([Entity("Kyiv"), Entity("kyiv", weight=2)], "kyiv"),  # the larger weight
        ([Entity("kyiv"), Entity("Kyiv")], "Kyiv"),  # then the display form in code point order
        ([Entity("U.K.I.V.", weight=5), Entity("Kyiv")], "Kyiv"),
    ],
)
def test_who_owns_a_form(items: list[Entity], owner: str) -> None:
    for listed in (EntityList(items), EntityList(items[::-1])):
        assert ("kyiv", owner) in [(text, shown) for text, shown, _ in table(listed)]


def test_a_form_spelled_by_the_user_goes_before_a_derived_one() -> None:
    listed = EntityList([Entity("U.N.", weight=5), "un"])
    assert table(listed) == [("u n", "U.N.", 5.0), ("un", "un", 1.0)]


@settings(max_examples=150, deadline=None)
@given(st.lists(entities, max_size=8), st.randoms())
def test_the_order_of_a_list_never_changes_what_is_matched(items: list[Entity], rng: random.Random) -> None:
    shuffled = rng.sample(items, len(items))
    a, b = EntityList(items), EntityList(shuffled)
    assert a.digest == b.digest
    assert set(a) == set(b)
    for charset in (None, LETTERS, frozenset("abcdefghijklmnopqrstuvwxyz"), frozenset("kyivun")):
        assert table(a, charset) == table(b, charset)
    texts = a.forms().texts
    assert list(texts) == sorted(set(texts))


# --- the report ---


def test_a_report_says_why() -> None:
    listed = EntityList(
        ["Zelenskyy", "Київ", "will", "Bo", "The Who", "!!!", "I ♥ Oslo", "IT", Entity("Al", weight=-1)]
    )
    rows = {row.entity.phrase: row for row in listed.report().rows}
    assert {phrase: row.status for phrase, row in rows.items()} == {
        "Zelenskyy": "used", "Київ": "dropped", "will": "risky", "Bo": "risky", "The Who": "risky", "!!!": "dropped",
        "I ♥ Oslo": "used", "IT": "risky", "Al": "used",
    }  # fmt: skip
    assert rows["Zelenskyy"].reason == ""
    assert rows["Київ"].reason == "English spelling has no К и ї в: give sounds_like, in a-z."
    assert rows["will"].reason == "A common English word: will."
    assert rows["Bo"].reason == "Very short: bo."
    assert rows["The Who"].reason == "Only common English words: the who."
    assert rows["!!!"].reason == "Nothing to match: the phrase has no letters or digits."
    assert "♥" in rows["I ♥ Oslo"].reason
    assert rows["IT"].forms == ("i t",)


def test_an_alias_saves_a_phrase_of_another_script() -> None:
    (row,) = EntityList([Entity("Київ", sounds_like=["kyiv", "???"])]).report().rows
    assert row.status == "used" and row.forms == ("kyiv",)
    assert "only sounds_like is matched" in row.reason and "alias '???' is not matched" in row.reason


def test_labels_that_cannot_spell() -> None:
    assert EntityList(["New York"]).report([" ", *"newyork"]).rows[0].forms == ("new york",)
    listed = EntityList(["Kyiv", "Oslo", "O'Brien"])
    characters = ["<blank>", " ", *"abcdefghijlmnopqrstuvwxyz"]  # no k, no apostrophe
    kyiv, oslo, brien = listed.report(characters).rows
    assert kyiv.status == "dropped" and kyiv.reason == "The model's labels cannot spell 'kyiv': they have no k."
    assert oslo.forms == ("oslo",) and brien.forms == ("obrien",)
    pieces = ["<unk>", "▁ky", "iv", "▁os", "lo", "▁", "o", "b", "r", "i", "e", "n", "<blank>"]
    kyiv, oslo, brien = listed.report(pieces).rows
    assert (kyiv.status, oslo.status, brien.forms) == ("used", "used", ("obrien",))
    (row,) = EntityList(["ky iv"]).report(["▁ky", "iv"]).rows  # "iv" stands only inside a word, or first of all
    assert row.reason.endswith("'ky iv': no sequence of them gives it.")
    (row,) = EntityList(["Kyiv"]).report(["ky", "iv"]).rows
    assert row.status == "dropped" and "no word separator" in row.reason
    assert EntityList(["Kyiv"]).report(["|", *"KYIV"[:3], "V"]).rows[0].status == "used"
    for labels in ("abc", 5, [], ["a", 5], ["a", "a"]):
        with pytest.raises(LabelsError):
            listed.report(labels)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.text("ab▁", min_size=1, max_size=3), min_size=1, unique=True), st.text("ab ", min_size=1))
def test_the_report_says_what_the_decoder_can_find(labels: list[str], phrase: str) -> None:
    labels = ["<blank>", *labels, "▁c"]
    listed = EntityList([phrase])
    unusable = Decoder(labels, blank=0).compile(listed).unusable
    assert (listed.report(labels).rows[0].status == "dropped") == bool(unusable)


def test_a_report_is_a_table_that_can_be_read() -> None:
    report = EntityList(["Zelenskyy", "will", "東京"]).report()
    assert report.counts == {"used": 1, "risky": 1, "merged": 0, "dropped": 1}
    assert str(report).splitlines() == [
        "entity     status   matched as  why",
        "Zelenskyy  used     zelenskyy",
        "will       risky    will        A common English word: will.",
        "東京       dropped  -           English spelling has no 東 京: give sounds_like, in a-z.",
        "",
        "3 entities: 1 used, 1 risky, 0 merged, 1 dropped.",
        GUARDED,
    ]
    assert str(EntityList().report()).splitlines()[-1] == "0 entities: 0 used, 0 risky, 0 merged, 0 dropped."


@settings(max_examples=150, deadline=None)
@given(st.lists(entities, max_size=8))
def test_every_entity_is_in_the_report_once_and_dropped_ones_say_why(items: list[Entity]) -> None:
    listed = EntityList(items)
    rows = listed.report().rows
    assert [row.entity for row in rows] == list(listed) and [row.index for row in rows] == list(range(len(listed)))
    assert sorted(form for row in rows for form in row.forms) == list(listed.forms().texts)
    assert all(row.forms if row.status in ("used", "risky") else row.reason for row in rows)
    assert len(str(listed.report()).splitlines()) == len(listed) + 3 + any(row.status == "risky" for row in rows)


# --- size ---


def test_a_phrase_of_a_thousand_words_is_allowed_and_a_longer_one_refused() -> None:
    phrase = " ".join(["Kyiv"] * 1000)
    assert EntityList([phrase]).forms(LETTERS).texts == (phrase.lower(),)
    for long in (phrase * 3, "a" * 10_001):
        with pytest.raises(EntityError, match="characters long; at most 10000 are allowed"):
            Entity(long)


def test_ten_thousand_phrases_compile_fast() -> None:
    items = [
        f"Anna {a}{b}{c}owski" for a in "bcdfghklmn" for b in "aeiouy" for c in map(str.lower, "BCDFGHKLMNPRSTVWZ" * 10)
    ]
    items = [f"{item} {chr(97 + n % 26)}{chr(97 + n // 26 % 26)}o" for n, item in enumerate(items)]

    def seconds(count: int) -> float:
        started = time.process_time()
        listed = EntityList(items[:count])
        assert len(listed.forms(LETTERS)) == len(listed) > 0.9 * count
        assert len(listed.digest) == 32
        return time.process_time() - started

    # Linear: ten times as long. A ratio, as the machine may be busy.
    few, many = (min(seconds(count) for _ in range(3)) for count in (1_000, 10_000))
    assert many < 40 * few


def test_importing_entities_imports_no_torch() -> None:
    code = "import sys, asrbias.entities; print(sorted({'torch', 'transformers', 'g2p_en', 'nltk'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
