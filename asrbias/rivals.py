"""Frequent words that may have been said where an entity is looked for, and instead of it.

What a list's sounds find where nobody said it is mostly a word that is like it: "consecrated" in "concentrated",
"Hopkins" heard as "Hawkins". The best text cannot tell, since a weak model has neither there. So the best of 10,000
frequent words in the same frames speaks against the entity (the fillers, or background model, of keyword spotting;
Rose & Paul 1990):

    rival = max over words and places of  fit + RARITY * rarity + SHARE * log(share) - UNCOVERED * frames left over

over places that cover at least half of the entity's frames. A word that belongs to the entity is not its rival.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from asrbias.g2g import phone_rarity
from asrbias.lexicon import Pronunciation, lexicon_folder
from asrbias.pronunciations import Spots, label_tree
from asrbias.wordgraphs import PhoneGraphs

Floats = npt.NDArray[np.float64]
TABLE = "frequent.tsv.gz"  # in lexicons/; recipes/lexicon/frequent.py makes it
# Found on speech/dev (docs/log.md, eighth session); in their neighbourhood nothing changes much.
COST, SLACK = 0.6, 2.0  # nats a phone, and more, by which a word may fall short of the best labels
RARITY = 0.3  # nats per nat of the phones' rarity
SHARE = 0.3  # nats per nat of the word's share
UNCOVERED = 0.3  # nats a frame of the entity's place that is left over
COVERED = 0.5  # of the entity's frames at the least
NONE = -10.0  # nats, at the least, and where there is no rival
MOST_SPOTS = 100_000  # of an utterance: no bound, but for hours
AT_ONCE = 1_000_000  # places times words that are compared at once, so that long audio takes no more memory


@lru_cache(maxsize=1)
def frequent_words() -> dict[str, tuple[float, tuple[Pronunciation, ...]]]:
    """Word -> -log of its share (nats), and its pronunciations."""
    text = gzip.decompress((lexicon_folder() / TABLE).read_bytes()).decode("ascii")
    rows = (line.split("\t") for line in text.splitlines())
    return {
        word: (float(cost), tuple(tuple(said.split()) for said in choices.split(" | "))) for word, cost, choices in rows
    }


@dataclass(frozen=True, eq=False)
class _Said:
    """R words with their places, in arrays."""

    owner: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]  # frame
    last: npt.NDArray[np.int32]  # frame, included
    worth: Floats  # nats, if nothing is left over


class Rivals:
    """The frequent words as one tree of labels.

    Args:
        phones: the phone head's labels after its blank, which is 0. Words that need another one are left out.
    """

    def __init__(self, phones: Sequence[str]) -> None:
        graphs, rare, words = PhoneGraphs(phones), phone_rarity(), frequent_words()
        self._number = {word: number for number, word in enumerate(words)}
        rows = [
            (self._number[word], labels, RARITY * sum(rare.get(phone, 0.0) for phone in said) - SHARE * cost)
            for word, (cost, choices) in words.items()
            for said in choices
            if (labels := graphs.labels(said))
        ]
        self._owner = np.array([owner for owner, _, _ in rows], np.int32)
        self._worth = np.array([worth for _, _, worth in rows], np.float64)
        self._tree = label_tree([labels for _, labels, _ in rows], self._owner.tolist(), self._worth)

    def against(self, sounds: npt.NDArray[np.float32], spots: Spots, texts: Mapping[int, Iterable[str]]) -> Floats:
        """[S] nats of the best rival of each place, NONE at the least.

        Args:
            sounds: [T, P] natural logarithms, tempered as those that the spots were found in.
            texts: by entity its matching forms.
        """
        if not len(spots):
            return np.zeros(0)
        row, first, last, fit = self._tree.spot(sounds, 0, COST, SLACK, MOST_SPOTS)
        if not len(row):
            return np.full(len(spots), NONE)
        said = _Said(self._owner[row], first, last, fit + self._worth[row])
        parts = np.array_split(np.arange(len(spots)), -(-len(spots) * len(row) // AT_ONCE))
        return np.concatenate([self._best(said, spots.chosen(part), texts) for part in parts if len(part)])

    def _best(self, said: _Said, spots: Spots, texts: Mapping[int, Iterable[str]]) -> Floats:
        """[S] of the best word that was said in each place."""
        frames = (spots.last - spots.first + 1)[:, None]
        common = np.minimum(spots.last[:, None], said.last) - np.maximum(spots.first[:, None], said.first) + 1
        worth = np.where(common < COVERED * frames, NONE, said.worth - UNCOVERED * (frames - common))
        for entity in np.unique(spots.entity).tolist():
            words = {word for text in texts[entity] for word in text.split()}
            own = [self._number[word] for word in words if word in self._number]
            if own:
                worth[np.ix_(spots.entity == entity, np.isin(said.owner, own))] = NONE
        found: Floats = np.maximum(NONE, worth.max(axis=1))
        return found


@lru_cache(maxsize=4)
def rivals_of(phones: tuple[str, ...]) -> Rivals:
    """Kept: it is the same for all lists."""
    return Rivals(phones)
