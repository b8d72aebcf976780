"""Grapheme to grapheme: other spellings and pronunciations of a phrase, by a table of which letters write which phones.

    spellings("zelenskyy", 4)        # (("zelensky", -0.4), ("zelenski", -1.0), ...)
    pronunciations("kyiv", 4)

variants.py puts what they give into a list.

Dingliwal et al. 2022, "G2G": a word's letters are aligned to its phones in chunks (one letter and no, one or two
phones; two letters and one phone), and each chunk may be written as other letters that the lexicon has for these
phones, or said as other phones that it has for these letters. A variant's score is its chunks' log probability (of the
letters given the phones, of the phones given the letters) less that of the word as it is; to spellings, what a model
of letter trigrams thinks of the change is added. recipes/lexicon/graphemes.py learned both tables from the CMU
dictionary.
"""

from __future__ import annotations

import gzip
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

from asrbias.lexicon import Pronunciation, lexicon_folder
from asrbias.phones import pronounce

Chunk = tuple[str, Pronunciation]  # ("ck", ("K",))
Choice = tuple[str, float]  # what stands for a chunk or a word, and its score

RAREST = 0.02  # probability of a chunk's letters given its phones (or the other way) from which it is an alternative
LOWEST = -6.0  # score of a variant, nats
CHUNK_WEIGHT = 0.5  # of a chunk's score in a spelling's, beside that of the letters; tuned on speech/dev
DROPPED = 0.0  # score of leaving out a letter that is not said, nats
KEPT_WORDS = 100_000  # words whose variants are kept
UNSEEN_LETTER = 0.2  # occurrences by which a trigram that the lexicon has not got is reckoned
RAREST_LETTER = -8.0  # nats, of a trigram that the table lacks
UNSEEN = -14.0  # nats, of a chunk that the table lacks: one letter and any one phone, or a letter and nothing


class GraphemeTable:
    """Chunks and their counts: conditional log probabilities both ways; and how letters follow letters."""

    def __init__(self, counts: Mapping[Chunk, float], letters_after: Mapping[str, float]) -> None:
        self._letters = letters_after
        letters: dict[str, float] = defaultdict(float)
        phones: dict[Pronunciation, float] = defaultdict(float)
        for (written, said), count in counts.items():
            letters[written] += count
            phones[said] += count
        total = sum(counts.values())
        self.joint = {chunk: math.log(count / total) for chunk, count in counts.items()}
        self.letters_given = {chunk: math.log(count / phones[chunk[1]]) for chunk, count in counts.items()}
        self.phones_given = {chunk: math.log(count / letters[chunk[0]]) for chunk, count in counts.items()}
        self.written: dict[Pronunciation, list[tuple[str, float]]] = defaultdict(list)
        self.said: dict[str, list[tuple[Pronunciation, float]]] = defaultdict(list)
        for chunk, score in self.letters_given.items():
            if score >= math.log(RAREST) and chunk[1]:
                self.written[chunk[1]].append((chunk[0], score))
        for chunk, score in self.phones_given.items():
            if score >= math.log(RAREST):
                self.said[chunk[0]].append((chunk[1], score))

    @classmethod
    def read(cls) -> GraphemeTable:
        """The tables in `lexicons/`."""
        rows = [line.split("\t") for line in _lines("graphemes.tsv.gz")]
        counts = {(letters, tuple(phones.split())): float(count) for letters, phones, count in rows}
        return cls(counts, _letter_model(_lines("letters.tsv.gz")))

    def letters_score(self, before: str, text: str, after: str) -> float:
        """Log probability of `text` and `after` following the two letters `before`, in nats."""
        whole = before + text + after
        return sum(self._letters.get(whole[i : i + 3], RAREST_LETTER) for i in range(len(whole) - 2))

    def respelled(self, chunks: Sequence[Chunk]) -> list[list[Choice]]:
        """What may be written in place of each chunk; scores against the chunk as it is, in its neighbourhood."""
        word = "".join(letters for letters, _ in chunks)
        padded = f"^^{word}$$"
        found, place = [], 2
        for chunk in chunks:
            own = self.letters_given.get(chunk, UNSEEN)
            before, after = padded[place - 2 : place], padded[place + len(chunk[0]) :][:2]
            usual = self.letters_score(before, chunk[0], after)
            others = [(letters, score - own) for letters, score in self.written[chunk[1]] if letters != chunk[0]]
            if not chunk[1]:
                others = [("", DROPPED)]
            scored = (
                (letters, CHUNK_WEIGHT * score + self.letters_score(before, letters, after) - usual)
                for letters, score in others
            )
            found.append([choice for choice in scored if choice[1] >= LOWEST])
            place += len(chunk[0])
        return found

    def resaid(self, chunks: Sequence[Chunk]) -> list[list[Choice]]:
        """What may be said in place of each chunk, phones joined by spaces; scores against the chunk as it is."""
        found = []
        for chunk in chunks:
            own = self.phones_given.get(chunk, UNSEEN)
            choices = [(" ".join(said), score - own) for said, score in self.said[chunk[0]] if said != chunk[1]]
            found.append(choices)
        return found

    def align(self, word: str, phones: Pronunciation) -> tuple[Chunk, ...]:
        """The most probable chunks of a word (a-z) and its phones; () where there are more than two phones a letter."""
        best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
        for i in range(len(word)):
            for j in range(len(phones) + 1):
                if (i, j) not in best:
                    continue
                score = best[i, j][0]
                for g, p in ((1, 1), (1, 0), (2, 1), (1, 2)):
                    if i + g > len(word) or j + p > len(phones):
                        continue
                    found = self.joint.get((word[i : i + g], phones[j : j + p]))
                    if found is None:
                        if g + p > 2:
                            continue
                        found = UNSEEN
                    end = (i + g, j + p)
                    if end not in best or score + found > best[end][0]:
                        best[end] = (score + found, (i, j))
        place, chunks = (len(word), len(phones)), []
        if place not in best:
            return ()
        while place != (0, 0):
            before = best[place][1]
            chunks.append((word[before[0] : place[0]], phones[before[1] : place[1]]))
            place = before
        return tuple(reversed(chunks))


def _lines(name: str) -> list[str]:
    return gzip.decompress((lexicon_folder() / name).read_bytes()).decode("ascii").splitlines()


def _letter_model(lines: Sequence[str]) -> dict[str, float]:
    """Trigrams and their counts ("^" before a word, "$" after it) -> log probability of the last of three letters."""
    counts = {line[:3]: float(line[4:]) for line in lines}
    heads: dict[str, float] = defaultdict(float)
    for trigram, count in counts.items():
        heads[trigram[:2]] += count
    return {t: math.log(count / (heads[t[:2]] + 28 * UNSEEN_LETTER)) for t, count in counts.items()}


@lru_cache(maxsize=1)
def grapheme_table() -> GraphemeTable:
    """The table that comes with the package, read once in a process."""
    return GraphemeTable.read()


def phone_rarity() -> dict[str, float]:
    """-log of each phone's share among those of the lexicon, in nats: how little its presence says by chance."""
    counts: dict[str, float] = defaultdict(float)
    for (_, phones), score in grapheme_table().joint.items():
        for phone in phones:
            counts[phone] += math.exp(score)
    total = sum(counts.values())
    return {phone: -math.log(count / total) for phone, count in counts.items()}


def spellings(phrase: str, count: int) -> tuple[Choice, ...]:
    """Other spellings of a phrase in matching form, best first, `count` at most; the phrase itself is not one."""
    words = [((word, 0.0), *_word_spellings(word, count)) for word in phrase.split()]
    return tuple(choice for choice in _phrases(words, count + 1) if choice[0] != phrase)[:count]


def pronunciations(phrase: str, count: int) -> tuple[tuple[Pronunciation, float], ...]:
    """Other pronunciations of a phrase than asrbias.phones has for its words, best first, `count` at most."""
    words = [_word_pronunciations(word, count) for word in phrase.split()]
    own = " ".join(word[0][0] for word in words)
    found = (choice for choice in _phrases(words, count + 1) if choice[0] != own)
    return tuple((tuple(said.split()), score) for said, score in found)[:count]


def _combined(choices: Sequence[Sequence[Choice]], own: Sequence[str], count: int, joint: str) -> list[Choice]:
    """The best `count` texts with one or two places changed, out of `choices` for each place."""
    single = sorted(
        ((score, place, text) for place, texts in enumerate(choices) for text, score in texts), reverse=True
    )
    single = single[: count + 1]
    found: dict[str, float] = {}
    for number, (score, place, text) in enumerate(single):
        for other_score, other, other_text in [(0.0, place, text), *single[:number]]:
            total = score + other_score
            if total < LOWEST or (other == place and other_text != text):
                continue
            changed = list(own)
            changed[other], changed[place] = other_text, text
            result = joint.join(filter(None, changed))
            if total > found.get(result, -math.inf):
                found[result] = total
    found.pop(joint.join(filter(None, own)), None)
    return sorted(found.items(), key=lambda choice: (-choice[1], choice[0]))[:count]


def _phrases(words: Sequence[Sequence[Choice]], count: int) -> list[Choice]:
    """The best `count` texts of one choice a word."""
    best: list[Choice] = [("", 0.0)]
    for choices in words:
        longer = [(f"{head} {text}".strip(), a + b) for head, a in best for text, b in choices]
        best = sorted(dict(reversed(longer)).items(), key=lambda choice: (-choice[1], choice[0]))[:count]
    return best


@lru_cache(maxsize=KEPT_WORDS)
def _word_spellings(word: str, count: int) -> tuple[Choice, ...]:
    table = grapheme_table()
    plain = word.replace("'", "")
    said = pronounce([word], missing="empty")[0]
    chunks = table.align(plain, said[0]) if said else ()
    return tuple(_combined(table.respelled(chunks), [letters for letters, _ in chunks], count, "")) if chunks else ()


@lru_cache(maxsize=KEPT_WORDS)
def _word_pronunciations(word: str, count: int) -> tuple[Choice, ...]:
    """The word's usual pronunciation with a score of 0, then others than asrbias.phones has."""
    table = grapheme_table()
    said = pronounce([word], missing="empty")[0]
    if not said:
        return (("", 0.0),)
    chunks = table.align(word.replace("'", ""), said[0])
    known = {" ".join(phones) for phones in said}
    found = _combined(table.resaid(chunks), [" ".join(phones) for _, phones in chunks], count + len(known), " ")
    others = [choice for choice in found if choice[0] and choice[0] not in known]
    return ((" ".join(said[0]), 0.0), *others[:count])
