"""The spoken forms of a listed phrase: what a recogniser may write when somebody says it.

    spoken_forms("AT&T")    -> ("at and t", "a t and t")
    spoken_forms("U.N.")    -> ("u n", "un")
    spoken_forms("Wi-Fi")   -> ("wi fi", "wifi")
    spoken_forms("Ford F-150")  -> ("ford f one hundred fifty", "ford f one fifty", "ford f one five zero", ...)

The first is `normalise(phrase)`; the others come from one rule each, never two at once, in this order, and at most
`MOST_FORMS` are kept:
 1. Roman numerals after a word, "World War II" -> "world war two", "Louis XIV" -> "louis the fourteenth";
 2. capitals of 2-4 letters (more without a vowel) as letters, "IBM" -> "i b m"; not in a phrase that is all capitals
    and of several words (that is only a way of typing), unless the word has no vowel;
 3. joined words apart, "YouTube" -> "you tube"; words with a hyphen in one, "Spider-Man" -> "spiderman";
 4. other readings of the first number, "2024" -> "two thousand twenty four";
 5. dotted letters as a word, "N.A.S.A." -> "nasa"; without the apostrophe, "McDonald's" -> "mcdonalds";
    German and Nordic spellings, "Müller" -> "mueller".
A derived form that is a common English word is left out ("U.S." does not match "us"). For the same reason capitals that
are a common word of two or three letters stand for their letters alone: "US" is "u s", "IT" is "i t", "WHO" is "w h o".
A phrase with letters of a script that English does not spell has no form of its own: half a name is another name.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator

from asrbias.commonwords import COMMON_WORDS
from asrbias.numerals import cardinal, ordinal, readings
from asrbias.text import fold, normalise, unspeakable

MOST_FORMS = 4  # spoken forms of one phrase, its aliases apart

# Fast path: no rule below can apply. "Zelenskyy", "new york"; "NEW YORK" but not "LOUIS XIV" or "BBC NEWS".
_TYPED = r"(?![IVX]+\b)(?=[A-Z]*[AEIOUY])[A-Z]+"
_ONE_FORM = re.compile(
    rf"(?:[A-Z]?[a-z]+|[A-Z])(?: [A-Z]?[a-z]+)*|(?=[A-Z]{{5}}){_TYPED}|{_TYPED}(?: {_TYPED})+"
).fullmatch
_CAPITALS = re.compile(r"(?<![A-Za-z$])(?!(?:DR|MRS?|ST|JR|SR|MT|FT)\b)([A-Z]{2,})('?s)?(?![A-Za-z])")
_VOWEL = re.compile(r"[AEIOUY]").search
_HYPHENED = re.compile(r"(?<=[A-Za-z])-(?=[A-Za-z])")
_JOINED = re.compile(  # but McDonald, DeVito, LeBron are one word
    r"(?<=[a-z])(?<!\bMc)(?<!\bMac)(?<!\bFitz)(?<!\bVan)(?<!\bD[eiu])(?<!\bL[aeou])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})"
)
_BARE_NUMBER = re.compile(r"(?<![\d.,:$£€¥₹])\d+(?![\d.,:]*\d|%|st\b|nd\b|rd\b|th\b|s\b|'s\b)")
_ROMAN = re.compile(r"(?<=[A-Za-z] )(?=[IVX]{2})(X{0,3}(?:IX|IV|V?I{0,3}))(?![A-Za-z])")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}
_DOTTED = re.compile(r"(?<![A-Za-z])(?:[A-Za-z]\.){2,}[A-Za-z]?(?![A-Za-z])")
_INNER_APOSTROPHE = re.compile(r"(?<=[A-Za-z])'(?=[A-Za-z])")
_DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ø": "oe", "Ø": "Oe",
                           "å": "aa", "Å": "Aa"})  # fmt: skip


def _letters(phrase: str) -> Iterator[str]:
    typed_in_capitals = phrase.isupper() and sum(any(map(str.isalpha, word)) for word in phrase.split()) > 1

    def spell(m: re.Match[str]) -> str:
        word, plural = m[1], m[2] or ""
        if _VOWEL(word) and (len(word) > 4 or typed_in_capitals):
            return m[0]
        return " ".join(word) + (" s" if plural == "s" else plural)

    yield _CAPITALS.sub(spell, phrase)


def _word_bounds(phrase: str) -> Iterator[str]:
    if (apart := _JOINED.sub(" ", phrase)) != phrase:
        yield from _letters(apart)
    yield _HYPHENED.sub("", phrase)


def _other_numbers(phrase: str) -> Iterator[str]:
    if m := _BARE_NUMBER.search(phrase):
        for reading in readings(m[0])[1:]:
            yield f"{phrase[: m.start()]} {reading} {phrase[m.end() :]}"


def _roman(phrase: str) -> Iterator[str]:
    m = _ROMAN.search(phrase)
    if m is None or not m[1]:
        return
    value = 0
    for this, following in zip(m[1], m[1][1:] + " ", strict=True):
        worth = _ROMAN_VALUES[this]
        value += -worth if worth < _ROMAN_VALUES.get(following, 0) else worth
    for words in (cardinal(value), f"the {ordinal(value)}"):
        yield phrase[: m.start()] + words + phrase[m.end() :]


def _spellings(phrase: str) -> Iterator[str]:
    plain = fold(phrase)
    if "." in plain:
        yield _DOTTED.sub(lambda m: m[0].replace(".", "").lower(), plain)
    if "'" in plain:
        yield _INNER_APOSTROPHE.sub("", plain)
    if not phrase.isascii():
        yield unicodedata.normalize("NFC", phrase).translate(_DIGRAPHS)


def spoken_forms(phrase: str) -> tuple[str, ...]:
    """The distinct matching forms of `phrase`, the most likely first, at most `MOST_FORMS`; () if there is none."""
    if _ONE_FORM(phrase):
        return (normalise(phrase),)
    plain = fold(phrase)
    if any(c.isalnum() for c in unspeakable(phrase)):
        return ()
    forms = dict.fromkeys(form for form in (normalise(phrase),) if form)
    if 1 < len(plain) <= 3 and plain.isalpha() and plain.isupper() and plain.lower() in COMMON_WORDS:
        return (normalise(" ".join(plain)),)
    rules = (_roman(plain), _letters(plain), _word_bounds(plain), _other_numbers(plain), _spellings(phrase))
    for alternative in itertools.chain.from_iterable(rules):
        if alternative != plain and (form := normalise(alternative)) and form not in COMMON_WORDS:
            forms[form] = None
    return tuple(forms)[:MOST_FORMS]
