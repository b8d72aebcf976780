"""The matching form of text, numbers as words, and the spoken forms of phrases."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.commonwords import COMMON_WORDS
from asrbias.numerals import cardinal, ordinal, readings
from asrbias.spoken import MOST_FORMS, spoken_forms
from asrbias.text import fold, normalise, unspeakable

MATCHING_FORM = re.compile(r"(?:[a-z]+(?:'[a-z]+)*(?: [a-z]+(?:'[a-z]+)*)*)?").fullmatch


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("hello world", "hello world"),
        ("  Hello,   WORLD!  ", "hello world"),
        ("Zelenskyy", "zelenskyy"),
        ("Jean-Luc", "jean luc"),
        ("O’Neill", "o'neill"),
        ("'tis the dogs' rock 'n' roll", "tis the dogs rock n roll"),
        ("São Paulo, Łódź, Ærø, Straße, Þór, Đà Nẵng", "sao paulo lodz aero strasse thor da nang"),
        ("İstanbul", "istanbul"),
        ("ﬁsh ＦＵＬＬ", "fish full"),
        ("naïve", "naive"),
        ("\u200fKy\u00adiv\u200b\ufeff", "kyiv"),
        ("U.S.A.", "u s a"),
        ("J.R.R. Tolkien", "j r r tolkien"),
        ("Dr. Strange and Mr Bean and Mrs. Dalloway", "doctor strange and mister bean and missus dalloway"),
        ("St. Louis, Main St.", "saint louis main street"),
        ("St John's", "saint john's"),
        ("AT&T", "at and t"),
        ("C# and C++", "c sharp and c plus plus"),
        ("#metoo", "metoo"),
        ("A$AP", "asap"),
        ("Booking.com", "booking dot com"),
        ("the end.", "the end"),
    ],
)
def test_words(written: str, spoken: str) -> None:
    assert normalise(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("3M", "three m"),
        ("iPhone 15", "iphone fifteen"),
        ("iPhone 5s", "iphone five s"),
        ("B2B", "b two b"),
        ("7-Eleven", "seven eleven"),
        ("COVID-19", "covid nineteen"),
        ("2024", "twenty twenty four"),
        ("2005", "two thousand five"),
        ("1900", "nineteen hundred"),
        ("1905", "nineteen oh five"),
        ("2024's", "twenty twenty four's"),
        ("the 1990s and the '80s", "the nineteen nineties and the eighties"),
        ("1st 2nd 3rd 12th 20th 101st", "first second third twelfth twentieth one hundred first"),
        ("12,000", "twelve thousand"),
        ("3.14", "three point one four"),
        ("1.0.2", "one point zero point two"),
        ("$5", "five dollars"),
        ("$1", "one dollar"),
        ("£5.50", "five pounds and fifty cents"),
        ("$5 million", "five million dollars"),
        ("100%", "one hundred percent"),
        ("5:30 and 10:05 and 7:00", "five thirty and ten oh five and seven o'clock"),
        ("-5", "minus five"),
        ("007", "zero zero seven"),
        ("No. 5, #1", "number five number one"),
        ("1½ + ½", "one and one half plus one half"),
        ("B-52s, sixes and 26s", "b fifty twos sixes and twenty sixes"),
        ("٣٤", "thirty four"),
        ("H₂O", "h two o"),
        ("1" * 40, " ".join(["one"] * 40)),
    ],
)
def test_digits(written: str, spoken: str) -> None:
    assert normalise(written) == spoken


def test_other_scripts_are_named() -> None:
    assert normalise("Ελλάδα") == ""
    assert unspeakable("Київ 東京 Kyiv, 5€ 😀!") == "Київ東京😀"
    assert unspeakable("plain, ASCII & “quoted” Łódź") == ""


def test_fold_keeps_case() -> None:
    assert fold("Łódź O’Neill") == "Lodz O'Neill"


def test_not_text_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a str, not NoneType"):
        normalise(None)  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.text("aB1'’-.$&,:# \u0301ßİ", max_size=20))
def test_the_matching_form_is_what_it_says_and_idempotent(text: str) -> None:
    once = normalise(text)
    assert MATCHING_FORM(once)
    assert normalise(once) == once


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**15 - 1))
def test_cardinals_are_words_and_differ(n: int) -> None:
    assert MATCHING_FORM(cardinal(n))
    assert cardinal(n) != cardinal(n + 1 if n < 10**15 - 1 else 0)


def test_numbers() -> None:
    assert cardinal(0) == "zero"
    assert cardinal(1_000_005) == "one million five"
    assert cardinal(342_017) == "three hundred forty two thousand seventeen"
    assert cardinal(1_000_005, joint=" and ") == "one million and five"
    assert ordinal(88) == "eighty eighth"
    assert readings("747")[:3] == ("seven hundred forty seven", "seven forty seven", "seven four seven")
    assert readings("90210") == ("ninety thousand two hundred ten", "nine zero two one zero")
    assert readings("5551234")[0] == "five five five one two three four"
    with pytest.raises(ValueError, match="whole numbers from 0"):
        cardinal(-1)


@pytest.mark.parametrize(
    ("phrase", "forms"),
    [
        ("Zelenskyy", ["zelenskyy"]),
        ("NEW YORK", ["new york"]),
        ("AT&T", ["at and t", "a t and t"]),
        ("U.N.", ["u n", "un"]),
        ("U.S.", ["u s"]),  # not "us"
        ("US", ["u s"]),
        ("NATO", ["nato", "n a t o"]),
        ("ZELENSKYY", ["zelenskyy"]),
        ("PCs", ["pcs", "p c s"]),
        ("MP3", ["mp three", "m p three"]),
        ("YouTube", ["youtube", "you tube"]),
        ("OpenAI", ["openai", "open a i"]),
        ("McDonald", ["mcdonald"]),
        ("Wi-Fi", ["wi fi", "wifi"]),
        ("O’Neill", ["o'neill", "oneill"]),
        ("Müller", ["muller", "mueller"]),
        ("Louis XIV", ["louis xiv", "louis fourteen", "louis the fourteenth", "louis x i v"]),
        ("LOUIS XIV", ["louis xiv", "louis fourteen", "louis the fourteenth"]),
        ("Malcolm X", ["malcolm x"]),
        ("will.i.am", ["will i am"]),  # not "william"
        ("DR. DRE", ["doctor dre"]),
        ("A$AP", ["asap"]),
        ("A380", ["a three hundred eighty", "a three eighty", "a three eight zero", "a three hundred and eighty"]),
        ("Київ", []),
        ("Kyiv Київ", []),  # half a name is another name
        ("I ♥ NY", ["i ny"]),
        ("!!!", []),
    ],
)
def test_spoken_forms(phrase: str, forms: list[str]) -> None:
    assert list(spoken_forms(phrase)) == forms


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=25) | st.text("abXIVMcO'-. 2019&", max_size=15))
def test_spoken_forms_are_few_distinct_matching_forms(phrase: str) -> None:
    forms = spoken_forms(phrase)
    assert len(forms) == len(set(forms)) <= MOST_FORMS
    assert all(form and MATCHING_FORM(form) and normalise(form) == form for form in forms)


def test_common_words_are_matching_forms() -> None:
    assert 300 <= len(COMMON_WORDS) <= 1200
    assert all(normalise(word) == word for word in COMMON_WORDS)


def test_ten_thousand_plain_phrases_take_well_under_a_second() -> None:
    phrases = [f"Anna {a}{b}{c}owski" for a in "bcdfghklmn" for b in "aeiouy" * 5 for c in "bcdfghklmnprstvwz" * 2]
    started = time.process_time()
    assert normalise(phrases[0]) == "anna babowski"
    for phrase in phrases:
        normalise(phrase)
    assert time.process_time() - started < 0.5  # 0.015 s on an idle core; the bound allows for a busy machine
