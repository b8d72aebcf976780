"""Digits as English words: what a speaker says for "3", "1st", "2024", "747", "007".

One written number has several spoken ones. `readings` lists them, the most likely first; `normalise`
(text.py) uses the first, an entity (spoken.py) the first few. The rule, by the number of digits:

    leading zero, or more than 6 digits not ending in 000    digit by digit            007, 5551234
    1, 2 digits                                              cardinal                  15 -> fifteen
    3 digits                                                 cardinal, pairs, digits   747
    4 digits, 1100-1999 or 2010-2099                         year, cardinal, digits    2024
    4 digits, others                                         cardinal, pairs, digits   2005, 6250
    5, 6 digits                                              cardinal, digits          90210
    with thousands separators                                cardinal                  12,000

US form, without "and": 101 -> "one hundred one"; the form with "and" is among the other readings.
"""

from __future__ import annotations

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
LONGEST = 15  # digits that are still read as one number; longer strings are read digit by digit


def _below_hundred(n: int) -> str:
    if n < 20:
        return _SMALL[n]
    return _TENS[n // 10] + (f" {_SMALL[n % 10]}" if n % 10 else "")


def _below_thousand(n: int, joint: str) -> str:
    if n < 100:
        return _below_hundred(n)
    rest = n % 100
    return f"{_SMALL[n // 100]} hundred" + (f"{joint}{_below_hundred(rest)}" if rest else "")


def cardinal(n: int, *, joint: str = " ") -> str:
    """The words of a whole number 0 <= n < 10**15; `joint` stands after "hundred" (British " and ")."""
    if not 0 <= n < 10**LONGEST:
        raise ValueError(f"cardinal() reads whole numbers from 0 to 10**{LONGEST} - 1, not {n}.")
    parts = []
    for size, name in _SCALES:
        if n >= size:
            parts.append(f"{_below_thousand(n // size, joint)} {name}")
            n %= size
    if n or not parts:
        if parts and n < 100:
            return " ".join(parts) + joint + _below_hundred(n)
        parts.append(_below_thousand(n, joint))
    return " ".join(parts)


def ordinal(n: int) -> str:
    """The words of an ordinal: 21 -> "twenty first"."""
    head, _, last = cardinal(n).rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return f"{head} {last}" if head else last


def spell(number: str, *, zero: str = "zero") -> str:
    """Digit by digit: "90210" -> "nine zero two one zero"."""
    return " ".join(zero if d == "0" else _SMALL[int(d)] for d in number)


def _pairs(number: str) -> str:
    """In pairs from the right, as years and flight numbers are said: "1905" -> "nineteen oh five"."""
    head, tail = int(number[:-2]), number[-2:]
    if tail == "00":
        return f"{_below_hundred(head)} hundred"
    return f"{_below_hundred(head)} " + (f"oh {_SMALL[int(tail)]}" if tail[0] == "0" else _below_hundred(int(tail)))


def year(number: str) -> str:
    """A year of four digits: "1984", "1900", "2005", "2024"; years 2000-2009 as cardinals."""
    n = int(number)
    return cardinal(n) if n % 1000 < 10 else _pairs(number)


def readings(number: str) -> tuple[str, ...]:
    """Every likely reading of a string of ASCII digits, the most likely first, without repeats."""
    n_digits = len(number)
    if n_digits > LONGEST or (number[0] == "0" and n_digits > 1):
        found = [spell(number), spell(number, zero="oh")]
        if number[:2] == "00" and 2 < n_digits < 5:
            found.insert(1, f"double oh {spell(number[2:], zero='oh')}")
    elif n_digits > 6 and not number.endswith("000"):
        found = [spell(number), spell(number, zero="oh"), cardinal(int(number))]
    else:
        n = int(number)
        plain, british = cardinal(n), cardinal(n, joint=" and ")
        if n_digits == 4 and (1100 <= n < 2000 or 2010 <= n < 2100):
            found = [year(number), plain, british, spell(number)]
        elif n_digits in (3, 4) and n % 1000:
            found = [plain, _pairs(number), spell(number), british]
        elif n_digits > 2:
            found = [plain, spell(number)]
        else:
            found = [plain]
    return tuple(dict.fromkeys(found))
