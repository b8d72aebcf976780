"""Sentences for synthetic speech: plain ones, and ones with names put in.

A recogniser that must spell names has to hear many spellings; 13 hours of real speech hold few. So half of what
comes out is written text as it is, a quarter are templates filled with names ("{first} {last} called from {place}"),
and a quarter is written text whose capitalised words are replaced by random names.

"Never trained on" has to be true of the names that are measured and shown. Every phrase of `held_out_names.txt` and
every entity of the dev and test manifests is excluded: it is never put in, and no sentence that holds it is used.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HELD_OUT = Path(__file__).with_name("held_out_names.txt")
SOURCES = {"commonvoice": 0.35, "ljspeech": 0.20, "us-presidents": 0.25, "slurp": 0.20}  # share of plain sentences
KINDS = {"plain": 0.50, "template": 0.25, "replaced": 0.25}  # share of all sentences
MIN_WORDS, MAX_WORDS = 2, 16
CLAUSE_MIN = 3  # words of a piece cut out of a long sentence

# What both the voices and the normaliser read the same way. Digits, symbols, acronyms and abbreviations are said in
# several ways, and a wrong transcript costs more than a lost sentence.
_SPEAKABLE = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿĀ-ſ’'\s,.;:!?\"“”‘()–—-]+")
_ABBREVIATION = re.compile(
    r"[A-Z]{2,}|\w\.\w|\b(?:St|No|Co|Inc|Ltd|Jr|Sr|Gen|Col|Capt|Lt|Rev|Hon|Prof|Mt|etc|vs|viz)\."
)
_UNFOLDED = str.maketrans({
    "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe",
    "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D", "ı": "i",
})  # fmt: skip
_NAME = re.compile(r"(?=...)[^\W\d_][^\W\d_' -]*(?:['’ -][^\W\d_]+){0,3}")  # three letters, four words at most
_CAPITALISED = re.compile(r"(?<![.!?:\"] )\b[A-ZÀ-Ö][a-zà-ÿ]+(?:[ -][A-ZÀ-Ö][a-zà-ÿ]+)*")
# English voices spell a word letter by letter when it starts or ends in a way they cannot say ("Pschorner", "Kbfl").
_ONSET = re.compile(
    "b[hlrw]?|c(h[lr]?|l|r|z)?|d[hrw]?|f[jlr]?|g[hlnrw]?|hr?|j|k[hlnrw]?|ll?|m[cn]?|n|p(f|h[lr]?|l|n|r|s)?|qu?|rh?|"
    "s(c(h[lmnrw]?|r)?|h[lmnr]?|kr?|l|m|n|p[hlr]?|q|r|tr?|v|w|z)?|t(h[rw]?|r|s|w)?|vl?|w[hr]?|x|z[hw]?"
)
_BAD_CODA = re.compile(r"[^aeiouy]{5,}$|(?:dr|jh|fp|nv|vv|sl|tx|hrl)$")

TEMPLATES = tuple(Path(__file__).with_name("templates.txt").read_text("utf-8").splitlines())


@dataclass(frozen=True)
class Sentence:
    """A text as it is written, and the names that were put into it."""

    text: str
    entities: tuple[str, ...] = ()


def fold(text: str) -> str:
    """`text` without diacritics and with straight quotes: what the English voices can read."""
    text = text.translate(_UNFOLDED).replace("’", "'").replace("‘", "'")
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def words_of(text: str) -> list[str]:
    """Lower-case words for matching; the possessive is cut off, so that "Kyiv's" is found as "Kyiv"."""
    words = re.findall(r"[a-z0-9]+(?:'[a-z]+)*", fold(text).lower())
    return [word[:-2] if word.endswith("'s") else word for word in words]


class Exclusion:
    """Phrases that no training text may hold."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_first: dict[str, set[tuple[str, ...]]] = {}
        for phrase in phrases:
            if words := tuple(words_of(phrase)):
                self._by_first.setdefault(words[0], set()).add(words)

    @classmethod
    def read(cls, names: Path = HELD_OUT, manifests: Iterable[Path] = ()) -> Exclusion:
        """The phrases of a list of names ("#" starts a comment) and all `entities` of manifests."""
        phrases = [line for line in names.read_text("utf-8").splitlines() if not line.startswith("#")]
        for manifest in manifests:
            for line in manifest.read_text("utf-8").splitlines():
                phrases += json.loads(line)["entities"]
        return cls(phrases)

    def __len__(self) -> int:
        return sum(map(len, self._by_first.values()))

    def found_in(self, text: str) -> str | None:
        """The first excluded phrase in `text`, as whole words, or None."""
        words = words_of(text)
        for i, word in enumerate(words):
            for phrase in self._by_first.get(word, ()):
                if tuple(words[i : i + len(phrase)]) == phrase:
                    return " ".join(phrase)
        return None


def pronounceable(text: str) -> bool:
    """Whether the voices say every word of `text` as a word; single letters are meant to be letters."""
    for word in words_of(text):
        letters = re.sub(r"^mc(?=[^aeiouy])|'", "", word)
        onset = re.match(r"y?([^aeiouy]*)", letters)
        if len(letters) < 2 or word in ("mr", "mrs", "lengths", "strengths"):
            continue
        if onset is None or onset[0] == letters or _BAD_CODA.search(letters):
            return False
        if onset[1] and not _ONSET.fullmatch(onset[1]):
            return False
    return True


def usable(text: str) -> bool:
    """Whether voices and normaliser read `text` alike, and its length is in range."""
    if not _SPEAKABLE.fullmatch(text) or _ABBREVIATION.search(text):
        return False
    return MIN_WORDS <= len(text.split()) <= MAX_WORDS and pronounceable(text)


def clauses(sentence: str) -> Iterator[str]:
    """The sentence, or, where it is too long, neighbouring clauses of it joined up to the length allowed."""
    if len(sentence.split()) <= MAX_WORDS:
        yield sentence
        return
    held: list[str] = []
    for piece in re.split(r"(?<=[,;:])\s+|\s*(?:--+|[–—])\s*", sentence):
        words = piece.split()
        if len(held) + len(words) > MAX_WORDS:
            if CLAUSE_MIN <= len(held) <= MAX_WORDS:
                yield " ".join(held)
            held = []
        held += words
    if CLAUSE_MIN <= len(held) <= MAX_WORDS:
        yield " ".join(held)


class SentenceMaker:
    """Draws sentences from a folder of texts; equal seeds give equal sentences."""

    def __init__(self, folder: Path, exclusion: Exclusion, sources: Mapping[str, float] = SOURCES) -> None:
        self.exclusion, self.sources = exclusion, sources
        self.plain = {name: self._sentences(folder / f"{name}-sentences.txt.gz") for name in sources}
        # The first letter is passed over: the capital of a first word says nothing.
        self.replaceable = [text for name in sources for text in self.plain[name] if _CAPITALISED.search(text, 1)]
        self.names = {
            "first": self._names(folder / "names-first.txt.gz"),
            "last": self._names(folder / "names-last.txt.gz"),
            "place": self._names(folder / "names-places-companies.txt.gz"),
        }

    def _sentences(self, path: Path) -> list[str]:
        pieces = (piece for line in _lines(path) for piece in clauses(line))
        return sorted({piece for piece in pieces if usable(piece) and not self.exclusion.found_in(piece)})

    def _names(self, path: Path) -> list[str]:
        kept = set()
        for name in _lines(path):
            if not _NAME.fullmatch(name) or name.startswith("A list of") or name.isupper() or len(name) > 24:
                continue
            if _SPEAKABLE.fullmatch(name) and pronounceable(name) and not self.exclusion.found_in(name):
                kept.add(name)
        return sorted(kept)

    def draw(self, random: random.Random) -> Sentence:
        """One sentence that is usable and holds no excluded phrase, not even across two names."""
        while True:
            kind = random.choices(list(KINDS), list(KINDS.values()))[0]
            sentence = {"plain": self._plain, "template": self.named, "replaced": self.renamed}[kind](random)
            if usable(sentence.text) and not self.exclusion.found_in(sentence.text):
                return sentence

    def _plain(self, random: random.Random) -> Sentence:
        source = random.choices(list(self.sources), list(self.sources.values()))[0]
        return Sentence(random.choice(self.plain[source]))

    def named(self, random: random.Random) -> Sentence:
        entities: list[str] = []
        template = random.choice(TEMPLATES).replace("{first} {last}", "{person}")
        return Sentence(re.sub(r"{(\w+)}", lambda m: self._name(m[1], random, entities), template), tuple(entities))

    def renamed(self, random: random.Random) -> Sentence:
        entities: list[str] = []
        text = random.choice(self.replaceable)
        body = _CAPITALISED.sub(
            lambda _: self._name(random.choice(("first", "last", "place", "person")), random, entities), text[1:]
        )
        return Sentence(text[0] + body, tuple(entities))

    def _name(self, kind: str, random: random.Random, entities: list[str]) -> str:
        parts = ("first", "last") if kind == "person" else (kind,)
        name = " ".join(random.choice(self.names[part]) for part in parts)
        entities.append(name)
        return name


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise ValueError(f"{path} is missing: give the folder that holds {', '.join(SOURCES)} sentences and names")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.strip() for line in file]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="folder of *-sentences.txt.gz and names-*.txt.gz")
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], help="manifests whose entities are kept out")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    maker = SentenceMaker(args.text, Exclusion.read(manifests=args.exclude))
    generator = random.Random(args.seed)
    for _ in range(args.count):
        sentence = maker.draw(generator)
        print(json.dumps({"text": sentence.text, "entities": sentence.entities}, ensure_ascii=False))


if __name__ == "__main__":
    main()
