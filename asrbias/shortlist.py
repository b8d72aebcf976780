"""The entities of a long list that an utterance may hold, by its sounds: 50 to 200 of them, for the contextual adapter.

    index = ShortlistIndex.of(pronounced)               # once a list
    index.choose(phone_log_probs, most=100)             # positions in the EntityList, best first

1. The phone posteriors are cut down to what may have been phones, with the odds of each (heardphones.py).
2. Of more than `candidates` pronunciations, those whose trigrams were heard go on (PhoneGrams, phonegrams.hpp).
3. These are aligned to what was heard, phones left out and put in allowed, and the best `finalists` once more to
   the frames; an entity is as good as its best pronunciation.

Recall matters here and not precision: what should be written, the adapter and the decoder decide. Entities whose
pronunciation is not known cannot be found so: they come last, in up to a quarter of the places; if there are more of
them, those that look most like the text that the caller heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asrbias import _core
from asrbias.alignment import as_matrix
from asrbias.entities import Entity, EntityList
from asrbias.g2g import phone_rarity
from asrbias.heardphones import Floats, Heard, PhoneSequences, Places, fit_frames, fit_runs, heard_phones
from asrbias.phones import PHONES
from asrbias.pronunciations import PronouncedList
from asrbias.wordgraphs import PhoneGraphs

UNPRONOUNCED_PART = 4  # entities without pronunciation get one place in so many
RANGES = {
    **{"temperature": (0.01, 10), "floor": (0, 1), "smoothing": (1e-6, 1), "background": (0, 2)},
    **{"insertion": (-100, 0), "deletion": (-100, 0), "blunt": (0.01, 10), "rarity": (0, 2)},
}  # of the options
UNKNOWN_PHONE = 8.0  # nats: -log share of a phone that the lexicon does not have


class ShortlistError(ValueError):
    """An option of the shortlist, or its length, has a value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class ShortlistOptions:
    """Tuned on speech/dev (docs/log.md). Raises ShortlistError for a value out of range."""

    candidates: int = 5000  # pronunciations that are aligned (or 4 times those asked for); more are sieved first
    finalists: int = 400  # entities that are aligned to the frames (or twice those asked for)
    temperature: float = 0.9  # exponent of the phones' posteriors before they are normalised again, without blank
    floor: float = 0.06  # probability of any phone from which a frame counts
    smoothing: float = 0.01  # share of the probability spread evenly over the phones
    background: float = 0.9  # times a phone's log share that is taken off its log probability
    insertion: float = -4.0  # nats for a heard phone that the pronunciation has not
    deletion: float = -4.0  # nats for a phone of the pronunciation that was not heard
    blunt: float = 0.5  # exponent of the frames' posteriors
    rarity: float = 0.5  # nats per nat of a phone's -log share, in the frames' score

    def __post_init__(self) -> None:
        for name in ("candidates", "finalists"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ShortlistError(f"{name} is {value!r}; it must be a whole number, 1 or more.")
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
                raise ShortlistError(f"{name} is {value!r}; it must be a number from {least:g} to {most:g}.")


class ShortlistIndex:
    """A list's pronunciations in flat arrays. Safe to use from several threads.

    `positions` are the entities that it knows: not those with a weight of 0 or less, nor those whose every
    form another entity of the list owns (PhraseTable), which then stands for both.
    """

    def __init__(self, pronounced: PronouncedList, phones: Sequence[str], options: ShortlistOptions) -> None:
        self.options = options
        # in the order of their texts, so that the order of the list decides nothing
        self.positions: tuple[int, ...] = tuple(sorted(pronounced.texts, key=lambda i: (pronounced.texts[i], i)))
        number = {entity: n for n, entity in enumerate(self.positions)}
        rows = sorted(zip((number[e] for e in pronounced.entity), pronounced.sequences, strict=True))
        self._unpronounced = sorted(number[entity] for entity in pronounced.unpronounced)
        self._texts = {n: pronounced.texts[self.positions[n]] for n in self._unpronounced}
        self._size = len(phones) + 1
        rare = phone_rarity()
        self._rarity: Floats = np.array([rare.get(phone, UNKNOWN_PHONE) for phone in phones], np.float32)
        self._owner: Places = np.array([n for n, _ in rows], np.int32)
        ends = np.cumsum([0, *(len(labels) for _, labels in rows)])
        said = np.array([label - 1 for _, labels in rows for label in labels], np.int32)
        if len(said) and int(said.max()) >= len(phones):
            raise ShortlistError(
                f"The list's pronunciations hold label {int(said.max()) + 1}, the phone head has "
                f"{len(phones)} phones; give the phones that the list was pronounced with."
            )
        self._said = PhoneSequences(said.astype(np.uint16), ends.astype(np.int32))
        self._rareness: Floats = np.add.reduceat(self._rarity[said], ends[:-1]) if len(rows) else self._rarity[:0]
        self._all: Places = np.arange(len(rows), dtype=np.int32)
        long = len(rows) > options.candidates
        self._grams = _core.PhoneGrams(self._said.labels, self._said.offsets, len(phones)) if long else None

    @classmethod
    def of(
        cls,
        listed: PronouncedList | EntityList | Iterable[str | Entity],
        *,
        phones: Sequence[str] = PHONES,
        options: ShortlistOptions | None = None,
    ) -> ShortlistIndex:
        """The index of a list; keep it by the list's `digest` and order.

        Args:
            listed: a list by its sounds, or one that is pronounced here.
            phones: the phone head's labels after its blank, which is 0.
        Raises:
            EntityError, EntityTypeError: a bad list. G2PUnavailable: a word needs g2p_en and it is missing.
        """
        if not isinstance(listed, PronouncedList):
            entities = EntityList.coerce(listed)
            assert entities is not None
            listed = PronouncedList.of(entities, entities.forms(), PhoneGraphs(phones))
        return cls(listed, phones, options or ShortlistOptions())

    def __len__(self) -> int:
        """Entities that may be chosen."""
        return len(self.positions)

    @property
    def nbytes(self) -> int:
        """Memory of its arrays, bytes."""
        arrays = self._said.nbytes + self._owner.nbytes + self._rareness.nbytes + self._all.nbytes
        return arrays + (self._grams.nbytes if self._grams else 0)

    def choose(self, phone_log_probs: Any, *, most: int = 100, text: str = "") -> tuple[int, ...]:
        """The entities that may be spoken here: positions in the EntityList, best first, at most `most`.

        A list that is no longer comes back whole. Where no phone was heard, of a longer one only entities without
        pronunciation come.

        Args:
            phone_log_probs: [T, P] natural logarithms, blank 0.
            text: what was heard, as letters: by it entities without pronunciation are ranked.
        Raises:
            ShortlistError: most is no whole number, 1 or more.
            LogProbsError, LogProbsTypeError: phone_log_probs is no such matrix.
        """
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ShortlistError(f"most is {most!r}; it must be a whole number, 1 or more.")
        o = self.options
        matrix = as_matrix(phone_log_probs, self._size, "phone_log_probs")
        background = np.float32(-o.background) * self._rarity
        heard = heard_phones(
            matrix, background, temperature=o.temperature, floor=o.floor, smoothing=o.smoothing, blunt=o.blunt
        )
        silent = self._by_spelling(text)
        if len(self) > most:
            silent = silent[: max(most // UNPRONOUNCED_PART, most - (len(self) - len(silent)))]
        found = self._by_sound(heard, most - len(silent)) if len(heard) or len(self) <= most else []
        return tuple(self.positions[n] for n in [*found, *silent])

    def _by_sound(self, heard: Heard, most: int) -> list[int]:
        """The entities that fit best, `most` of them."""
        o = self.options
        rows = self._candidates(heard, max(o.candidates, 4 * most))
        scores = fit_runs(heard, self._said, rows, insertion=o.insertion, deletion=o.deletion)
        keep: Places = np.empty(len(rows), np.int32)
        keep = keep[: _core.keep_best(self._owner, rows, scores, max(o.finalists, 2 * most), keep)]
        rows, scores = rows[keep], scores[keep]
        scores += fit_frames(heard, self._said, rows, deletion=o.deletion)
        scores += np.float32(o.rarity) * self._rareness[rows]
        owner = self._owner[rows]
        starts = np.flatnonzero(np.diff(owner, prepend=-1))  # of each entity's pronunciations
        best = np.maximum.reduceat(scores, starts) if len(rows) else scores
        order: list[int] = owner[starts][np.argsort(-best, kind="stable")[:most]].tolist()
        return order

    def _candidates(self, heard: Heard, count: int) -> Places:
        """The pronunciations that are aligned, in their order: of many those whose trigrams were heard."""
        if self._grams is None or len(self._owner) <= count:
            return self._all
        rows: Places = np.empty(count, np.int32)
        return rows[: self._grams.best(heard.odds, heard.presence, self.options.insertion, rows)]

    def _by_spelling(self, text: str) -> list[int]:
        """Entities without pronunciation, those that look most like the text first."""
        from rapidfuzz.fuzz import partial_ratio

        def likeness(n: int) -> float:
            return max(partial_ratio(form, text) for form in self._texts[n]) if text else 0.0

        return sorted(self._unpronounced, key=lambda n: -likeness(n))
