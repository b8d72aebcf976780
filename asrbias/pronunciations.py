"""An entity list by its sounds: which phone sequences stand for which entity, in one tree that is searched at once.

    pronounced = PronouncedList.of(entities, entities.forms(charset), PhoneGraphs())
    pronounced.spot(phone_log_probs, options)       # where in an utterance entities may have been said

An entity is said by the pronunciations that its user gave, else by those of its matching forms; what `sounds_like`
lists is said by its spelling in either case. Entities with a weight of 0 or less are not looked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias import _core
from asrbias.entities import EntityList
from asrbias.g2g import phone_rarity, pronunciations
from asrbias.phones import parse_pronunciation
from asrbias.phrasetable import PhraseTable
from asrbias.wordgraphs import PhoneGraphs

MOST = 4  # pronunciations of one matching form, from the lexicon and the network
Labels = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A place where an entity may have been said."""

    entity: int  # position in the EntityList
    first: int  # frame
    last: int  # frame, included
    fit: float  # nats: its best path less the best labels of the same frames, at most 0
    rarity: float  # nats: -log of its phones' shares, summed
    phones: int  # how many


COLUMNS = tuple(one.name for one in fields(Spot))


@dataclass(frozen=True, eq=False)
class Spots:
    """S places, in arrays: threads wait for each other while objects are made, and most places come to nothing."""

    entity: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    last: npt.NDArray[np.int32]
    fit: npt.NDArray[np.float64]
    rarity: npt.NDArray[np.float64]
    phones: npt.NDArray[np.int32]

    @classmethod
    def of(cls, spots: Sequence[Spot]) -> Spots:
        def column(name: str, kind: type) -> npt.NDArray[Any]:
            return np.array([getattr(spot, name) for spot in spots], kind)

        whole = {name: column(name, np.int32) for name in ("entity", "first", "last", "phones")}
        return cls(**whole, fit=column("fit", np.float64), rarity=column("rarity", np.float64))

    def __len__(self) -> int:
        return len(self.entity)

    def __getitem__(self, number: int) -> Spot:
        return Spot(**{name: getattr(self, name)[number].item() for name in COLUMNS})

    def chosen(self, which: npt.NDArray[Any]) -> Spots:
        """Those of a mask, or with these numbers."""
        return Spots(*(getattr(self, name)[which] for name in COLUMNS))

    def joined(self, other: Spots) -> Spots:
        """These, and those of the other that are not among them."""
        if not len(other):
            return self
        known = set(self._rows())
        other = other.chosen(np.array([row not in known for row in other._rows()]))
        return Spots(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in COLUMNS))

    def _rows(self) -> list[tuple[float, ...]]:
        return list(zip(*(getattr(self, name).tolist() for name in COLUMNS), strict=True))


@dataclass(frozen=True, eq=False)
class PronouncedList:
    """R phone sequences, each of one entity."""

    tree: _core.LabelTree
    entity: tuple[int, ...]  # R positions in the EntityList
    sequences: tuple[Labels, ...]  # R
    rarity: npt.NDArray[np.float64]  # [R] nats: -log of the phones' shares, summed
    texts: Mapping[int, tuple[str, ...]]  # by entity: its matching forms, the one to be written first
    weights: Mapping[int, float]  # by entity
    unpronounced: tuple[int, ...]  # entities that have no phones
    reward: float  # nats per nat of rarity, in the order of what `spot` finds

    @classmethod
    def of(
        cls,
        entities: EntityList,
        table: PhraseTable,
        graphs: PhoneGraphs,
        *,
        variants: int = 0,
        reward: float = 0.3,
    ) -> PronouncedList:
        """The sounds of the matching forms in `table`, each under the entity that owns it there.

        Args:
            variants: pronunciations more for each form, by the grapheme table (asrbias.g2g).
            reward: nats per nat of rarity, in the order of what `spot` finds.
        """
        texts: dict[int, list[str]] = {}
        weights: dict[int, float] = {}
        for text, index, weight in zip(table.texts, table.entity.tolist(), table.weight.tolist(), strict=True):
            if weight > 0:
                texts.setdefault(index, []).append(text)
                weights[index] = weight
        graphs.said(word for forms in texts.values() for form in forms for word in form.split())
        rows: dict[tuple[int, Labels], None] = {}
        for index, forms in texts.items():
            own = [form for kind in entities.spoken[index] for form in kind]
            forms.sort(key=lambda form: own.index(form) if form in own else len(own))
            for labels in _said(entities, index, forms, graphs, variants):
                rows[index, labels] = None
        return cls._made(list(rows), {i: tuple(forms) for i, forms in texts.items()}, weights, graphs, reward)

    @classmethod
    def _made(
        cls,
        rows: Sequence[tuple[int, Labels]],
        texts: Mapping[int, tuple[str, ...]],
        weights: Mapping[int, float],
        graphs: PhoneGraphs,
        reward: float,
    ) -> PronouncedList:
        rare = {label: value for phone, value in phone_rarity().items() for label in graphs.labels([phone]) or ()}
        rarity = np.array([sum(rare.get(label, 0.0) for label in labels) for _, labels in rows], np.float64)
        entity, sequences = tuple(index for index, _ in rows), tuple(labels for _, labels in rows)
        missing = tuple(sorted(set(texts) - set(entity)))
        tree = label_tree(sequences, entity, reward * rarity)
        return cls(tree, entity, sequences, rarity, texts, weights, missing, reward)

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def size(self) -> int:
        """Entities that are looked for."""
        return len(self.texts) - len(self.unpronounced)

    def exactly(self, labels: Labels) -> int | None:
        """The entity that these phones are a pronunciation of; of several, the one with the largest weight."""
        return self._exact.get(labels)

    @cached_property
    def _exact(self) -> dict[Labels, int]:
        found: dict[Labels, int] = {}
        for entity, labels in zip(self.entity, self.sequences, strict=True):
            rival = found.get(labels)
            if rival is None or (-self.weights[entity], entity) < (-self.weights[rival], rival):
                found[labels] = entity
        return found

    def spot(
        self,
        phone_log_probs: npt.NDArray[np.float32],
        *,
        cost: float,
        slack: float,
        keep: int,
        only: Collection[int] | None = None,
    ) -> Spots:
        """The `keep` best places, each entity once in any place; what falls below -(slack + cost * phones) is not.

        Args:
            phone_log_probs: [T, P] natural logarithms, blank 0.
            only: the entities that are looked for; None: all.
        """
        owners, lengths = self._arrays
        rows: npt.NDArray[np.intp] | None = None
        tree = self.tree
        if only is not None:
            rows = np.array(sorted(row for entity in set(only) for row in self._rows.get(entity, ())), np.intp)
            if not len(rows):
                return Spots.of([])
            some = [self.entity[row] for row in rows]
            tree = label_tree([self.sequences[row] for row in rows], some, self.reward * self.rarity[rows])
        row, first, last, fit = tree.spot(phone_log_probs, 0, cost, slack, keep)
        of = row if rows is None else rows[row]
        return Spots(owners[of], first, last, fit.astype(np.float64), self.rarity[of], lengths[of])

    @cached_property
    def _arrays(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """[R] each row's entity, and how many phones it has."""
        return np.array(self.entity, np.int32), np.array([len(labels) for labels in self.sequences], np.int32)

    @cached_property
    def forms(self) -> dict[str, int]:
        """The entity that each matching form stands for; of several, the one with the largest weight."""
        found: dict[str, int] = {}
        for entity, texts in self.texts.items():
            for text in texts:
                rival = found.get(text)
                if rival is None or (-self.weights[entity], entity) < (-self.weights[rival], rival):
                    found[text] = entity
        return found

    @cached_property
    def longest(self) -> int:
        """Words of the longest matching form; 0 without any."""
        return max((form.count(" ") + 1 for form in self.forms), default=0)

    @cached_property
    def letters(self) -> dict[int, float]:
        """By entity: letters of its longest matching form, times its weight."""
        longest = {entity: max(len(text.replace(" ", "")) for text in texts) for entity, texts in self.texts.items()}
        return {entity: letters * self.weights[entity] for entity, letters in longest.items()}

    @cached_property
    def worth(self) -> npt.NDArray[np.float64]:
        """`letters` as an array over the entities; 0 for those that are not looked for."""
        found = np.zeros(max(self.letters, default=-1) + 1)
        found[list(self.letters)] = list(self.letters.values())
        return found

    @cached_property
    def beginnings(self) -> frozenset[str]:
        """The first words of the matching forms."""
        return frozenset(form.split(" ", 1)[0] for form in self.forms)

    @cached_property
    def _rows(self) -> dict[int, list[int]]:
        """The rows of each entity."""
        found: dict[int, list[int]] = {}
        for row, entity in enumerate(self.entity):
            found.setdefault(entity, []).append(row)
        return found


def label_tree(sequences: Sequence[Labels], owners: Sequence[int], reward: npt.NDArray[np.float64]) -> _core.LabelTree:
    """R sequences in one tree, each with its owner and the nats by which what is found of it comes earlier."""
    flat = [label for labels in sequences for label in labels]
    offsets = [0, *itertools.accumulate(len(labels) for labels in sequences)]
    return _core.LabelTree(flat, offsets, list(owners), reward.tolist())


def _said(entities: EntityList, index: int, forms: Sequence[str], graphs: PhoneGraphs, variants: int) -> list[Labels]:
    """An entity's phone sequences, those of the user first."""
    given = entities[index].pronunciation
    found = [graphs.labels(parse_pronunciation(text)) for text in given]
    phrase = set(entities.spoken[index][0][:1]) | set(entities.spoken[index][1]) if given else set()
    for form in forms:
        if form in phrase:  # the user said how it is pronounced
            continue
        found += graphs.phrase(form, MOST)
        if variants:
            found += [graphs.labels(phones) for phones, _ in pronunciations(form, variants)]
    return [labels for labels in dict.fromkeys(found) if labels]
