"""Pronunciations: the lexicon first, g2p_en's network for the rest, and what the user says.

A pronunciation is a tuple of ARPAbet phones without stress. Words are in matching form: a-z and apostrophe.
How a word gets its pronunciations, the first that applies:
 1. the lexicon lists it ("kiev", "o'neill", "john's"; a single letter is there as its name);
 2. it is a word with an ending after the apostrophe ("zelenskyy's", "kyle'll"): those of the word, and the ending's
    phones as English speakers choose them by the sound before (S, Z or IH Z for 's);
 3. it has one of the prefixes o', d', l': the prefix's phone and those of the rest;
 4. the network reads it, apostrophes left out. A word without any vowel letter ("bnp") is spelled out first; one made
    of two listed words ("thistlewood") is also said as these.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from asrbias.g2p import G2PUnavailable, network
from asrbias.lexicon import STRESS, Lexicon, Pronunciation, cmudict

PHONES: tuple[str, ...] = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH"),
    *("K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH"),
)
VOWELS = frozenset(phone for phone in PHONES if phone[0] in "AEIOU")
SIBILANTS = frozenset({"CH", "JH", "S", "SH", "Z", "ZH"})
VOICELESS = frozenset({"F", "K", "P", "T", "TH"})

ENDINGS = ("'s", "'ll", "'ve", "'re", "'d")
PREFIXES = {"o'": ("OW",), "d'": ("D",), "l'": ("L",)}
# Compounds, measured on 1,500 listed words as if they were not (the network learned them, so this favours it): phone
# errors 13.0 % against its 5.6 % up to 8 letters, 9.1 against 6.8 up to 11, 6.4 against 12.0 beyond; best of both < 3.
MIN_PART = 4  # letters of each part of a compound; with parts of 3 they are wrong more often
COMPOUND_FIRST = 12  # letters from which the compound comes before the network's reading
MAX_LETTERS = 100  # characters of a word; the network's time grows with them
CACHED_WORDS = 500_000  # words; the cache starts anew beyond, so that a service's memory is bounded

_WORD = re.compile(r"'*[a-z][a-z']*")
_cache: dict[str, tuple[Pronunciation, ...]] = {}


class UnpronounceableError(ValueError):
    """Words without a pronunciation. `words` holds all of those given, in their order."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        super().__init__(
            f"cannot pronounce {_shown(self.words)}: a word is made of a-z and apostrophes, one letter at least and "
            f"{MAX_LETTERS} characters at most; bring it to matching form with asrbias.text.normalise, or give its "
            "pronunciation in ARPAbet, such as 'K IY1 V'"
        )


def pronounceable(word: str) -> bool:
    """Whether `pronounce` takes the word: a-z in either case and apostrophes, a letter at least, not too long."""
    return len(word) <= MAX_LETTERS and _WORD.fullmatch(word.lower()) is not None


def pronounce(words: Sequence[str], *, missing: str = "raise") -> list[tuple[Pronunciation, ...]]:
    """The pronunciations of each word, one or more, the most usual first; results are cached in the process.

    What cannot be pronounced (see `pronounceable`) raises UnpronounceableError, which names every such word, before
    anything is computed; with missing="empty" such a word gets () instead, for callers that report it themselves.
    Raises G2PUnavailable (asrbias.g2p) if a word needs the network and g2p_en is not installed.
    """
    global _cache
    if isinstance(words, str):
        raise TypeError(f"pronounce takes a sequence of words, not one string: pronounce([{words!r}])")
    if missing not in ("raise", "empty"):
        raise ValueError(f"missing={missing!r} is not known; allowed: 'raise', 'empty'")
    cache = _cache  # stays whole for this call, even if another thread starts a new one
    forms = [word.lower() for word in words]
    new = [form for form in dict.fromkeys(forms) if form not in cache]
    bad = {form for form in new if not pronounceable(form)}
    if bad and missing == "raise":
        raise UnpronounceableError(list(dict.fromkeys(w for w, form in zip(words, forms, strict=True) if form in bad)))
    found = _pronounce_new([form for form in new if form not in bad])
    result = [cache.get(form) or found.get(form, ()) for form in forms]
    if len(cache) + len(found) > CACHED_WORDS:
        _cache = cache = {}
    cache.update(found)
    return result


def pronounce_phrase(text: str, limit: int = 8) -> list[Pronunciation]:
    """Pronunciations of a phrase of words in matching form: combinations of its words' pronunciations, `limit` at most.

    Ordered by how far they stray from the usual, the sum over words of the pronunciation's place among its word's;
    among equals those first of which the last words stray more. So the first is every word's most usual one. None
    comes twice.
    Raises UnpronounceableError as `pronounce` does, also for a text without words.
    """
    if limit < 1:
        raise ValueError(f"limit={limit} allows no pronunciation; give 1 or more")
    words = text.split()
    if not words:
        raise UnpronounceableError([text])
    # the first `limit` beginnings are enough: whatever follows, the others stay behind them
    best: list[tuple[int, Pronunciation]] = [(0, ())]
    for choices in pronounce(words):
        longer = [(rank + i, head + tail) for rank, head in best for i, tail in enumerate(choices)]
        unique: dict[Pronunciation, int] = {}
        for rank, phones in sorted(longer, key=lambda pair: pair[0]):  # a stable sort, for the order among equals
            unique.setdefault(phones, rank)
        best = [(rank, phones) for phones, rank in itertools.islice(unique.items(), limit)]
    return [phones for _, phones in best]


def parse_pronunciation(text: str) -> Pronunciation:
    """A user's ARPAbet string, "K IY1 V" -> ("K", "IY", "V"); case and stress marks do not matter."""
    phones = tuple(text.upper().split())
    if not phones:
        raise ValueError("a pronunciation is empty; give ARPAbet phones separated by spaces, such as 'K IY1 V'")
    return tuple(_parse_phone(symbol, text) for symbol in phones)


def _parse_phone(symbol: str, text: str) -> str:
    phone = symbol[:-1] if symbol[-1] in "012" else symbol
    if phone in VOWELS or (phone == symbol and phone in PHONES):
        return phone
    reason = "carries stress, which only vowels do" if phone in PHONES else "is not an ARPAbet phone"
    raise ValueError(
        f"{symbol!r} in the pronunciation {text!r} {reason}; allowed, separated by spaces: {' '.join(PHONES)}, "
        "the vowels also with a stress mark 0, 1 or 2"
    )


def _shown(words: Sequence[str]) -> str:
    return ", ".join(repr(word[:40]) for word in words[:5]) + (", ..." if len(words) > 5 else "")


def _pronounce_new(words: Sequence[str]) -> dict[str, tuple[Pronunciation, ...]]:
    """Pronunciations of distinct pronounceable words; all that the network must read goes to it in one call."""
    lexicon = cmudict()
    parts = {word: _split(word, lexicon) for word in words}
    cores = dict.fromkeys(core for _, core, _ in parts.values())
    unlisted = [core for core in cores if core not in lexicon]
    known = {core: lexicon[core] for core in cores if core in lexicon}
    if unlisted:
        try:
            known.update(zip(unlisted, _read_letters(unlisted, lexicon), strict=True))
        except G2PUnavailable as error:
            raise G2PUnavailable(f"cannot pronounce {_shown(unlisted)}, not in the lexicon: {error}") from None
    return {
        word: tuple(dict.fromkeys(_with_endings((*prefix, *phones), endings) for phones in known[core]))
        for word, (prefix, core, endings) in parts.items()
    }


def _split(word: str, lexicon: Lexicon) -> tuple[Pronunciation, str, tuple[str, ...]]:
    """A word -> (phones of its prefixes, a listed word or one for the network to read, endings from the inside)."""
    prefix: Pronunciation = ()
    endings: tuple[str, ...] = ()
    core = word
    while core not in lexicon:
        bare = core.strip("'")
        ending = next((e for e in ENDINGS if bare.endswith(e)), "")
        head = bare[:2]
        if bare != core:
            core = bare
        elif ending:
            core, endings = core[: -len(ending)], (ending, *endings)
        elif head in PREFIXES:
            core, prefix = core[2:], (*prefix, *PREFIXES[head])
        else:
            return prefix, core.replace("'", ""), endings
    return prefix, core, endings


def _with_endings(phones: Pronunciation, endings: Sequence[str]) -> Pronunciation:
    for ending in endings:
        phones += _ending(ending, phones[-1])
    return phones


def _ending(ending: str, last: str) -> Pronunciation:
    """The phones of an ending after the phone `last`."""
    if ending == "'s":
        return ("IH", "Z") if last in SIBILANTS else ("S",) if last in VOICELESS else ("Z",)
    if ending == "'re":
        return ("ER",)
    if ending == "'ll":
        return ("AH", "L")
    consonant = {"'ve": "V", "'d": "D"}[ending]
    return (consonant,) if last in VOWELS else ("AH", consonant)


def _read_letters(words: Sequence[str], lexicon: Lexicon) -> list[tuple[Pronunciation, ...]]:
    """Pronunciations of words that are not listed, a-z only."""
    result: list[tuple[Pronunciation, ...]] = []
    for word, stressed in zip(words, network().predict(words), strict=True):
        # the network may write a special symbol, or nothing at all
        read = tuple(p for p in (symbol.translate(STRESS) for symbol in stressed) if p in PHONES)
        letters = tuple(phone for letter in word for phone in lexicon[letter][0])
        compound = _compound(word, lexicon)
        if not set(word) & set("aeiouy"):
            choices = [letters, read]
        else:
            choices = [compound, read] if len(word) >= COMPOUND_FIRST else [read, compound]
        result.append(tuple(dict.fromkeys(phones for phones in choices if phones)) or (letters,))
    return result


def _compound(word: str, lexicon: Lexicon) -> Pronunciation:
    """The phones of the two listed words that make up the word, of the most even such pair; () if there is none."""
    places = range(MIN_PART, len(word) - MIN_PART + 1)
    pairs = [(word[:at], word[at:]) for at in places if word[:at] in lexicon and word[at:] in lexicon]
    if not pairs:
        return ()
    first, second = max(pairs, key=lambda pair: min(len(pair[0]), len(pair[1])))
    return lexicon[first][0] + lexicon[second][0]
