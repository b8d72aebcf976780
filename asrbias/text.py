"""Text as the models know it: the matching form, lower case a-z and apostrophe, words apart by one space.

    normalise("Dr. O’Neill paid $5 for 3 Łódź maps.")  ->  "doctor o'neill paid five dollars for three lodz maps"

The matching form is what is trained on, matched and scored. What is *shown* is never derived from it: a recogniser
writes the matching form of a hypothesis as it stands, and in place of a listed phrase that entity's display form.

Rules, in their order:
 1. ligatures, full-width forms, every script's digits, curly quotes: to plain ASCII; diacritics are dropped (é e,
    ł l, ø o, ß ss, æ ae, þ th); invisible characters (zero width, direction marks, soft hyphen) vanish.
 2. "U.S.A." -> "u s a"; "Mr" mister, "Mrs" missus, "Dr" doctor, "St." saint before a capital, else street;
    "No. 5" number five; "asrbias.com" -> "asrbias dot com".
 3. Digits are spoken (see numerals.py): years, ordinals, decades, times, decimals, money, percent.
 4. Symbols with a name are spoken (& and, % percent, + plus, @ at, = equals, C# c sharp, #1 number one).
 5. An apostrophe stays between two letters; all else becomes a space.
"""

from __future__ import annotations

import re
import unicodedata

from asrbias.numerals import LONGEST, cardinal, ordinal, readings

_PLAIN = re.compile(r"[a-z]+(?:'[a-z]+)*(?: [a-z]+(?:'[a-z]+)*)*").fullmatch
_LETTERS = re.compile(r"[A-Za-z][A-Za-z' -]*").fullmatch  # nothing but case, hyphens and apostrophes to settle

# Letters that Unicode does not decompose and whose name does not tell the base letter.
_SPECIAL = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D",
    "ı": "i", "ȷ": "j", "ŋ": "ng", "Ŋ": "Ng", "ə": "e", "Ə": "E", "ĸ": "k", "ſ": "s", "ƒ": "f", "ʒ": "zh", "Ʒ": "Zh",
    "™": " ", "℠": " ", "®": " ", "©": " ", "№": " No. ",
    "½": " one half ", "¼": " one quarter ", "¾": " three quarters ", "⅓": " one third ", "⅔": " two thirds ",
    "⅛": " one eighth ", "⁄": "/", "²": " squared ", "³": " cubed ", "…": " ", "−": "-",
    "°": " degrees ", "℃": " degrees celsius ", "℉": " degrees fahrenheit ",
    "×": " x ", "÷": " divided by ", "±": " plus or minus ",
    "‘": "'", "’": "'", "ʼ": "'", "ʻ": "'", "ʹ": "'", "′": "'", "‛": "'", "´": "'", "`": "'", "＇": "'",
    "µ": " micro ", "€": "€", "£": "£", "¥": "¥", "₹": "₹",
}  # fmt: skip
_BASE = re.compile(r"LATIN (SMALL|CAPITAL) LETTER (?:.* )?([A-Z]{1,2})(?: WITH .*)?").fullmatch
_MIXED_FRACTION = re.compile(r"(?<=\d)(?=[½¼¾⅓⅔⅛])")
INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069 \t\r\n"
_CURRENCY = {"$": "dollar", "£": "pound", "€": "euro", "¥": "yen", "₹": "rupee"}


def _fold_character(c: str) -> str:
    """One non-ASCII character in ASCII; " " for punctuation; itself if English has no letters for it."""
    if c in _SPECIAL:
        return _SPECIAL[c]
    kind = unicodedata.category(c)
    if kind in ("Cf", "Mn", "Me", "Mc") or 0xFE00 <= ord(c) <= 0xFE0F:
        return ""
    if kind in ("Cn", "Co", "Cs"):
        return c
    if kind == "Nd":
        return str(unicodedata.decimal(c))
    if kind[0] in "ZCP":
        plain = unicodedata.normalize("NFKC", c)
        return plain if plain != c and plain.isascii() else ("-" if kind == "Pd" else " ")
    base = "".join(p for p in unicodedata.normalize("NFKD", c) if not unicodedata.combining(p))
    if base != c and base:
        return "".join(p if p.isascii() else _fold_character(p) for p in base)
    if "\u02b9" <= c <= "\u02ff":  # marks between letters
        return ""
    if kind[0] == "L" and (named := _BASE(unicodedata.name(c, ""))):
        return named[2] if named[1] == "CAPITAL" else named[2].lower()
    return c


class _Fold(dict[int, str]):
    """A table for str.translate that works out each new character once."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = chr(code) if code < 128 else _fold_character(chr(code))
        return folded


_FOLD = _Fold()


def fold(text: str) -> str:
    """Plain ASCII where there is one, case kept: "Łódź" -> "Lodz"; characters of other scripts stay as they are."""
    return text if text.isascii() else _MIXED_FRACTION.sub(" and ", text).translate(_FOLD)


def unspeakable(text: str) -> str:
    """The characters of `text` that `normalise` cannot represent (other scripts, emoji), each once, in order."""
    if text.isascii():
        return ""
    return "".join(dict.fromkeys(c for c in text if not fold(c).isascii() and c not in _SPOKEN_SYMBOL))


# --- abbreviations ---------------------------------------------------------------------------------------------------

_DOTTED = re.compile(r"(?<![A-Za-z])(?:[A-Za-z]\.){2,}(?:[A-Za-z](?![A-Za-z']))?")
_TITLE = re.compile(r"\b(mrs?|dr)\b\.?", re.IGNORECASE)
_TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor"}
_ABBREVIATION = re.compile(r"\b(Prof|Jr|Sr|Mt|Ft|vs)\.|\b(No|Nos)\.(?= ?\d)")
_ABBREVIATIONS = {
    "Prof": "professor", "Jr": "junior", "Sr": "senior", "Mt": "mount", "Ft": "fort", "vs": "versus",
    "No": "number", "Nos": "numbers",
}  # fmt: skip
_SAINT = re.compile(r"\bSt\.?(?= ?[A-Z])")
_STREET = re.compile(r"\bSt\.")
_DOMAIN = re.compile(
    r"(?<=[A-Za-z0-9])\.(?=(?:com|org|net|edu|gov|io|ai|app|dev|co|tv|me|js|uk|de)\b)|(?<!\S)\.(?=[A-Za-z])"
)


def _abbreviations(text: str) -> str:
    if "." in text:
        text = _DOTTED.sub(lambda m: " ".join(m[0].replace(".", "")), text)
    text = _TITLE.sub(lambda m: f" {_TITLES[m[1].lower()]} ", text)
    if "." in text:
        text = _ABBREVIATION.sub(lambda m: _ABBREVIATIONS[m[1] or m[2]] + " ", text)
        text = _DOMAIN.sub(" dot ", text)
    return _STREET.sub("street ", _SAINT.sub("saint ", text)) if "St" in text else text


# --- digits ----------------------------------------------------------------------------------------------------------

_ANY_DIGIT = re.compile(r"\d").search
_DIGIT_SUFFIX = re.compile(r"\d(?:st|nd|rd|th|'?s)\b", re.IGNORECASE).search
_NUM = r"\d{1,3}(?:,\d{3})+|\d+"
_MONEY = re.compile(rf"([$£€¥₹])\s?({_NUM})(?:\.(\d\d?)(?!\d))?(\s(?:hundred|thousand|million|billion|trillion)\b)?")
_TIME = re.compile(r"(?<!\d)([01]?\d|2[0-3]):([0-5]\d)(?!\d)")
_ORDINAL = re.compile(rf"(?<!\d)({_NUM})(?:st|nd|rd|th)\b", re.IGNORECASE)
_PLURAL = re.compile(r"'?(?<!\d)(\d{3}0'?|\d0'?|\d{2,})s\b")  # 1990s, '80's, 747s; not 5s
_DECIMAL = re.compile(rf"(?<!\d)({_NUM})((?:\.\d+)+)")
_NUMBER = re.compile(_NUM)
_DIGIT_POSSESSIVE = re.compile(r" +'s\b")  # 2024's
_MINUS = re.compile(r"(?<![\w.)])-(?=\d)")


def _number(written: str) -> str:
    digits = written.replace(",", "")
    if digits != written and len(digits) <= LONGEST:
        return cardinal(int(digits))
    return readings(digits)[0]


def _money(m: re.Match[str]) -> str:
    unit, (_, amount, cents, scale) = _CURRENCY[m[1]], m.groups()
    whole = _number(amount)
    units = unit if (whole == "one" and not scale) or unit == "yen" else unit + "s"
    if scale:
        point = f" point {readings(cents)[0]}" if cents else ""
        return f" {whole}{point}{scale} {units} "
    return f" {whole} {units} " + (f"and {_number(cents.ljust(2, '0').lstrip('0') or '0')} cents " if cents else "")


def _time(m: re.Match[str]) -> str:
    hour, minute = cardinal(int(m[1])), m[2]
    if minute == "00":
        return f" {hour} o'clock "
    return f" {hour} " + (f"oh {cardinal(int(minute))} " if minute[0] == "0" else f"{cardinal(int(minute))} ")


def _ordinal(m: re.Match[str]) -> str:
    digits = m[1].replace(",", "")
    return f" {ordinal(int(digits))} " if len(digits) <= LONGEST else f" {readings(digits)[0]} th "


def _plural(m: re.Match[str]) -> str:
    spoken = readings(m[1].rstrip("'"))[0]
    ending = "es" if spoken.endswith("six") else "s"
    return " " + (spoken[:-1] + "ies" if spoken.endswith("ty") else spoken + ending) + " "


def _decimal(m: re.Match[str]) -> str:
    parts = m[2][1:].split(".")
    if len(parts) == 1:  # 3.14: digit by digit after the point; 1.0.2 is a version: numbers
        return f" {_number(m[1])} point {' '.join(cardinal(int(d)) for d in parts[0])} "
    return f" {_number(m[1])} " + " ".join(f"point {_number(p)}" for p in parts) + " "


def _digits(text: str) -> str:
    if not _ANY_DIGIT(text):
        return text
    if not text.isascii() or "$" in text:
        text = _MONEY.sub(_money, text)
    if ":" in text:
        text = _TIME.sub(_time, text)
    if _DIGIT_SUFFIX(text):
        text = _PLURAL.sub(_plural, _ORDINAL.sub(_ordinal, text))
    if "-" in text:
        text = _MINUS.sub(" minus ", text)
    if "." in text:
        text = _DECIMAL.sub(_decimal, text)
    text = _NUMBER.sub(lambda m: f" {_number(m[0])} ", text)
    return _DIGIT_POSSESSIVE.sub("'s", text) if "'s" in text else text


# --- symbols and the whole -------------------------------------------------------------------------------------------

_SPOKEN_SYMBOL = {
    "&": " and ", "%": " percent ", "+": " plus ", "@": " at ", "=": " equals ",
    "$": " dollars ", "£": " pounds ", "€": " euros ", "¥": " yen ", "₹": " rupees ", "¢": " cents ",
}  # fmt: skip
_SYMBOLS = str.maketrans(_SPOKEN_SYMBOL | {c: " " for c in '!"(),-./:;<>?[\\]^_`{|}~*#'})
_STYLED_S = re.compile(r"(?<=[A-Za-z])\$(?=[A-Za-z])")  # A$AP, Ke$ha
_SHARP = re.compile(r"\b([A-Ga-g])#(?!\w)")
_HASH_NUMBER = re.compile(r"#(?=\d)")
_LONE_APOSTROPHE = re.compile(r"'(?![a-z])|(?<![a-z])'")
_NOT_SPELLED = re.compile(r"[^a-z' ]+")


def normalise(text: str) -> str:
    """The matching form of any English text: characters a-z, apostrophe and single spaces; "" if nothing is left.

    Idempotent. Characters of other scripts become spaces: `unspeakable` names them. TypeError if not given a str.
    """
    if not isinstance(text, str):
        raise TypeError(f"normalise() needs a str, not {type(text).__name__}.")
    if _PLAIN(text) and "mr" not in text and "dr" not in text:
        return text
    if _LETTERS(text):
        text = _TITLE.sub(lambda m: _TITLES[m[1].lower()], text)
        text = (_SAINT.sub("saint ", text) if "St" in text else text).lower().replace("-", " ")
    else:
        text = fold(text)
        if "$" in text:
            text = _STYLED_S.sub("s", text)
        if "#" in text:
            text = _HASH_NUMBER.sub(" number ", _SHARP.sub(r"\1 sharp ", text))
        text = _digits(_abbreviations(text)).translate(_SYMBOLS).casefold()
        text = _NOT_SPELLED.sub(" ", text)
    if "'" in text:
        text = _LONE_APOSTROPHE.sub(" ", text)
    return " ".join(text.split())
