"""Entity lists for training an adapter: of each batch of sentences one pool of phrases, and what of it each one sees.

The pool has the rare words of the sentences and runs of these, phrases of other sentences, and phrases that sound like
words of the batch (hard distractors, by the edit distance of phones). A sentence sees its own phrases, but for those
that were dropped, which teaches <no-bias>; phrases that sound like its words; and a share of all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Words = tuple[str, ...]
CHOICES = 10_000  # rare words among which what sounds like a word is looked for, drawn at random
BLOCK = 64  # words that are compared with these at once: 2.5 MB
RUN = 3  # words of a phrase that is drawn from a sentence, at most


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """How lists are drawn. Raises ValueError for a value out of range."""

    commonest: int = 5_000  # words of the text that are never an entity by themselves
    dropped: float = 0.3  # share of the spoken phrases that a sentence does not see
    others: int = 60  # phrases of other sentences a batch
    hard: float = 0.5  # phrases a word of a sentence that sound like it, about
    hard_rare: float = 1.0  # the same for each of its rare words
    longer: float = 0.3  # share of these that have a word more, of which nothing is said
    near: int = 12  # of which so many of the nearest are drawn from

    def __post_init__(self) -> None:
        for name in ("dropped", "longer"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be a share from 0 to 1.")
        if min(self.commonest, self.others, self.hard, self.hard_rare) < 0 or self.near < 1:
            raise ValueError("commonest, others, hard and hard_rare must be 0 or more, and near 1 or more.")


@dataclass(frozen=True)
class Mention:
    """A phrase of the pool that a sentence says and sees."""

    sentence: int
    first: int  # word
    last: int  # word, included
    phrase: int  # in the pool


@dataclass(frozen=True, eq=False)
class Lists:
    """Of a batch of B sentences."""

    phrases: tuple[str, ...]  # K
    visible: npt.NDArray[np.bool_]  # [B, K]
    mentions: tuple[Mention, ...]  # that do not overlap


class Neighbours:
    """Words that sound like a word, nearest first."""

    def __init__(self, near: dict[str, tuple[str, ...]]) -> None:
        self._near = near

    @classmethod
    def of(cls, words: Sequence[str], among: Sequence[str], count: int) -> Neighbours:
        """The `count` of `among` with the fewest changed phones, counted against the longer one's, for each word."""
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import cdist

        said, known = _letters(words), _letters(among)
        sayable = [index for index, sounds in enumerate(known) if sounds]
        choices = [known[index] for index in sayable]
        count = min(count, len(sayable) - 1)
        near: dict[str, tuple[str, ...]] = {}
        for begin in range(0, len(words) if count > 0 else 0, BLOCK):
            block = cdist(said[begin : begin + BLOCK], choices, scorer=Levenshtein.normalized_distance)
            nearest = np.argpartition(block, count, axis=1)[:, : count + 1]
            for row, (word, sounds) in enumerate(zip(words[begin : begin + BLOCK], said[begin:], strict=False)):
                ranked = sorted(nearest[row].tolist(), key=lambda index: (block[row, index], index))
                others = [among[sayable[i]] for i in ranked if among[sayable[i]] != word]
                near[word] = tuple(others[:count]) if sounds else ()
        return cls(near)

    def __getitem__(self, word: str) -> tuple[str, ...]:
        return self._near.get(word, ())


def _letters(words: Sequence[str]) -> list[str]:
    """The first pronunciation of each word, a letter a phone; "" where it has none."""
    from asrbias.phones import PHONES, pronounce

    letter = {phone: chr(ord("A") + index) for index, phone in enumerate(PHONES)}
    return ["".join(letter[p] for p in said[0]) if said else "" for said in pronounce(words, missing="empty")]


class ListMaker:
    """Draws the lists of batches of sentences, each given as its words.

    `common`: words that are never an entity by themselves (None: the commonest of the sentences).
    """

    def __init__(self, sentences: Sequence[Words], options: ListOptions, common: frozenset[str] | None = None) -> None:
        self.sentences, self.options = sentences, options
        counts = Counter(word for words in sentences for word in words)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        usual = frozenset(ranked[: options.commonest]) if common is None else common
        self.common = usual | {word for word in counts if len(word) < 3}
        self.rare = rare = [word for word in ranked if word not in self.common]
        few = np.random.default_rng(len(rare)).permutation(len(rare))[:CHOICES].tolist()
        hard = len(few) > 1 and bool(options.hard or options.hard_rare)
        self.near = Neighbours.of(ranked, [rare[i] for i in few], options.near) if hard else Neighbours({})

    def draw(self, numbers: Sequence[int], draw: np.random.Generator) -> Lists:
        """The lists of the sentences with these numbers; the same for the same state of `draw`."""
        sentences = [self.sentences[number] for number in numbers]
        own = [self._runs(words, draw) for words in sentences]
        alike = [self._alike(words, draw) for words in sentences]
        strange = [run for number in draw.integers(len(self.sentences), size=self.options.others).tolist()
                   for run in self._runs(self.sentences[number], draw)[:1]]  # fmt: skip
        phrases = tuple(dict.fromkeys([*(p for some in own for p in some), *strange, *(p for s in alike for p in s)]))
        number_of = {phrase: index for index, phrase in enumerate(phrases)}
        visible = draw.random((len(sentences), len(phrases))) < draw.random((len(sentences), 1))
        for row, words in enumerate(sentences):
            visible[row, [number_of[phrase] for phrase in (*own[row], *alike[row])]] = True
            spoken = {number_of[phrase] for phrase in _inside(words, number_of)}
            hidden = [index for index in sorted(spoken) if draw.random() < self.options.dropped]
            visible[row, hidden] = False
        mentions = [m for row, words in enumerate(sentences) for m in _mentions(row, words, number_of, visible[row])]
        return Lists(phrases, visible, tuple(mentions))

    def _runs(self, words: Words, draw: np.random.Generator) -> list[str]:
        """Rare words of a sentence, some of them joined with their neighbours."""
        found, place = [], 0
        while place < len(words):
            if words[place] in self.common:
                place += 1
                continue
            end = place + 1
            while end < len(words) and end - place < RUN and words[end] not in self.common and draw.random() < 0.8:
                end += 1
            begin = place
            if draw.random() < 0.08 and begin and end - begin < RUN:
                begin -= 1
            if draw.random() < 0.08 and end < len(words) and end - begin < RUN:
                end += 1
            found.append(" ".join(words[begin:end]))
            place = end
        return found

    def _alike(self, words: Words, draw: np.random.Generator) -> list[str]:
        """Phrases that sound like words of a sentence; some with a word more, of which nothing is said."""
        found = []
        for word in words:
            near = self.near[word]
            chance = self.options.hard if word in self.common else self.options.hard_rare
            for _ in range(int(draw.poisson(chance)) if near else 0):
                phrase = near[int(len(near) * draw.random() ** 2)]
                if draw.random() < self.options.longer:
                    other = self.rare[int(draw.integers(len(self.rare)))]
                    phrase = f"{phrase} {other}" if draw.random() < 0.5 else f"{other} {phrase}"
                found.append(phrase)
        return found


def _inside(words: Words, known: dict[str, int]) -> list[str]:
    spans = [" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(len(words), i + RUN + 2) + 1)]
    return [span for span in spans if span in known]


def _mentions(row: int, words: Words, known: dict[str, int], visible: npt.NDArray[np.bool_]) -> list[Mention]:
    """The longest phrases first; of those as long the first."""
    found: list[Mention] = []
    for size in range(min(len(words), RUN + 1), 0, -1):
        for first in range(len(words) - size + 1):
            index = known.get(" ".join(words[first : first + size]))
            last = first + size - 1
            if index is None or not visible[index]:
                continue
            if all(last < other.first or first > other.last for other in found):
                found.append(Mention(row, first, last, index))
    return found
