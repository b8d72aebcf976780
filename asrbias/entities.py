"""Entities: what the user lists, and the phrases a decoder looks for.

    entities = EntityList(["Zelenskyy", Entity("Kyiv", weight=2.0, sounds_like="keev")])
    entities = EntityList.read("names.tsv")         # the formats are described in listfiles.py
    print(entities.report())                        # a row an entity: used, dropped, risky, and why

What is shown and what is matched are two things. `Entity.shown` ("AT&T") is written into the transcript; the matching
forms ("at and t", "a t and t": see spoken.py) are what the decoder looks for, all of them shown as the one entity.

Weight: a dimensionless multiplier of the decoder's bonus, from -10 to 10. 1 is the tuned default, 2 twice as eager;
0 boosts nothing but still shows the entity in its display form where it is recognised; a negative one discourages.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from .spoken import spoken_forms
from .text import normalise

if TYPE_CHECKING:
    from .report import Report

LOWEST_WEIGHT, HIGHEST_WEIGHT = -10.0, 10.0
FIELDS = ("phrase", "display", "weight", "sounds_like", "pronunciation")
_EDGE = " \t\r\n\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069"


class EntityError(ValueError):
    """An entity, or a list of them, has a value that is not allowed."""


class EntityTypeError(TypeError):
    """An entity, or a list of them, is of a type that is not allowed."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One entry of a list. Frozen and hashable; white space is squeezed; raises EntityError, EntityTypeError."""

    phrase: str  # as written: "Zelenskyy", "AT&T", "iPhone 15"
    _: KW_ONLY
    display: str | None = None  # what the transcript shows; None: the phrase
    weight: float = 1.0  # multiplier of the decoder's bonus, -10..10; negative discourages, 0 only shows
    sounds_like: tuple[str, ...] = ()  # other spellings, as heard: "keev"; a single str is one of them
    pronunciation: tuple[str, ...] = ()  # each a string of ARPAbet phones: "K IY1 V"

    def __post_init__(self) -> None:
        phrase = self.phrase
        if type(phrase) is not str or not phrase.isalpha():
            object.__setattr__(self, "phrase", _clean(phrase, "phrase"))
        if self.display is not None:
            object.__setattr__(self, "display", _clean(self.display, "display") or None)
        if self.weight != 1.0 or type(self.weight) is not float:
            object.__setattr__(self, "weight", _checked_weight(self.weight, self.phrase))
        if self.sounds_like != ():
            object.__setattr__(self, "sounds_like", _texts(self.sounds_like, "sounds_like", self.phrase))
        if self.pronunciation != ():
            object.__setattr__(self, "pronunciation", _phones(self.pronunciation, self.phrase))

    @property
    def shown(self) -> str:
        """What a transcript shows for this entity."""
        return self.display or self.phrase

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Entity:
        """An entity from a mapping with the fields' names, as in JSON; an unknown name is an EntityError."""
        if unknown := [name for name in fields if name not in FIELDS]:
            raise EntityError(f"Unknown field {unknown[0]!r} of an entity; the fields are {', '.join(FIELDS)}.")
        if "phrase" not in fields:
            raise EntityError(f"An entity needs the field 'phrase'; this one has {', '.join(fields) or 'none'}.")
        return cls(**{name: value for name, value in fields.items() if value is not None})


def _clean(text: Any, field: str) -> str:
    if not isinstance(text, str):
        raise EntityTypeError(f"An entity's {field} is text (str), not {type(text).__name__} {text!r:.60}.")
    return " ".join(text.strip(_EDGE).split())


def _checked_weight(weight: Any, phrase: str) -> float:
    allowed = f"a finite number from {LOWEST_WEIGHT:g} to {HIGHEST_WEIGHT:g}, where 1 is the default"
    if isinstance(weight, (bool, np.bool_)) or not isinstance(weight, (int, float, np.integer, np.floating)):
        raise EntityTypeError(f"The weight of {phrase!r} is {weight!r:.60}; it must be {allowed}.")
    if not math.isfinite(weight) or not LOWEST_WEIGHT <= weight <= HIGHEST_WEIGHT:
        raise EntityError(f"The weight of {phrase!r} is {weight}; it must be {allowed}.")
    return float(weight) + 0.0  # -0.0 is 0.0


def _texts(value: Any, field: str, phrase: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise EntityTypeError(f"{field} of {phrase!r} is a list of strings, not {type(value).__name__} {value!r:.60}.")
    cleaned = (_clean(text, f"{field} (of {phrase!r})") for text in value)
    return tuple(dict.fromkeys(text for text in cleaned if text))


def _phones(value: Any, phrase: str) -> tuple[str, ...]:
    from .ipa import ARPABET

    pronunciations = tuple(text.upper() for text in _texts(value, "pronunciation", phrase))
    for pronunciation in pronunciations:
        for phone in pronunciation.split():
            if phone.rstrip("012") not in ARPABET or len(phone) - len(phone.rstrip("012")) > 1:
                raise EntityError(
                    f"The pronunciation {pronunciation!r} of {phrase!r} has {phone!r}, which is no ARPAbet phone; "
                    f"write for example 'K IY1 V', with the phones {' '.join(sorted(ARPABET))}."
                )
    return pronunciations


@dataclass(frozen=True, eq=False)
class PhraseTable:
    """What a decoder compiles: P matching forms, sorted, each owned by one entity.

    Of entities that claim the same form, one owns it: first those that spell it themselves (phrase or sounds_like)
    before those for which it was derived, then the larger weight, then the display form, then the phrase that comes
    first in code point order. So the table does not depend on the order of the list (but for the numbers in `entity`).
    """

    texts: tuple[str, ...]  # P matching forms, ascending, distinct
    entity: npt.NDArray[np.int32]  # [P] position in the EntityList
    weight: npt.NDArray[np.float32]  # [P] that entity's weight

    def __len__(self) -> int:
        return len(self.texts)


class EntityList(Sequence[Entity]):
    """An immutable list of entities, each once, in the order given. Its derived tables are made once and kept.

    Args:
        items: strings, Entity objects, or mappings of an entity's fields; or one mapping of phrase to weight.
    Raises:
        EntityTypeError: a str in place of a list (its letters are no entities), or an item of another type.
        EntityError: an entity has a value that is not allowed.

    Entities with the same phrase and the same display form are one: the largest weight counts, aliases and
    pronunciations are joined, and the report says so. Positions (`Word.entity`) count the merged list. Two lists are
    equal if they hold equal entities in the same order; `digest` does not depend on the order.
    """

    __slots__ = ("_digest", "_entities", "_notes", "_row_notes", "_spoken", "_tables")

    def __init__(self, items: Iterable[str | Entity | Mapping[str, Any]] | Mapping[str, float] = ()) -> None:
        self._fill([(entity, ()) for entity in _entities(items)], ())

    def _fill(self, rows: Iterable[tuple[Entity, tuple[str, ...]]], notes: tuple[str, ...]) -> None:
        """Merge the rows (an entity and the remarks of whoever read it) into this list."""
        merged: dict[tuple[str, str], Entity] = {}
        remarks: dict[tuple[str, str], tuple[str, ...]] = {}
        listed: dict[tuple[str, str], int] = {}
        for entity, remark in rows:
            key = (entity.phrase, entity.display or entity.phrase)
            known = merged.setdefault(key, entity)
            if remark:
                remarks[key] = remarks.get(key, ()) + remark
            if known is not entity or key in listed:
                listed[key] = listed.get(key, 1) + 1
                merged[key] = _merge(known, entity)
            else:
                listed[key] = 1
        for key, times in listed.items():
            if times > 1:
                weight = merged[key].weight
                text = f"Listed {times} times; merged into one" + (f", with the largest weight, {weight:g}" if weight != 1 else "")
                remarks[key] = (text + ".", *remarks.get(key, ()))
        self._entities = tuple(merged.values())
        self._row_notes = {i: remarks[key] for i, key in enumerate(merged) if key in remarks} if remarks else {}
        self._notes = notes
        self._digest: str | None = None
        self._spoken: list[tuple[tuple[str, ...], tuple[str, ...]]] | None = None
        self._tables: dict[frozenset[str] | None, PhraseTable] = {}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> EntityList:
        """The list in a file (formats: listfiles.py). Raises EntityError with file, line and what is allowed, OSError."""
        from .listfiles import read_rows

        rows, notes = read_rows(path)
        entities = cls.__new__(cls)
        entities._fill(rows, notes)
        return entities

    @classmethod
    def coerce(cls, x: EntityList | Iterable[str | Entity] | None) -> EntityList | None:
        """`x` as an EntityList; None and an EntityList as they are."""
        return x if x is None or isinstance(x, EntityList) else cls(x)

    # --- what is matched ---

    @property
    def spoken(self) -> Sequence[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Per entity: the matching forms spelled by the user (phrase, aliases), and those derived from the phrase."""
        if self._spoken is None:
            self._spoken = [_spoken(entity) for entity in self._entities]
        return self._spoken

    def forms(self, charset: frozenset[str] | None = None) -> PhraseTable:
        """The phrases to look for, of those that `charset` can spell (None: all). Made once for each charset.

        `charset` holds single characters; capitals count as their small letters, and the space need not be in it.
        Where it has no apostrophe, "o'neill" becomes "oneill".
        """
        if charset is not None:
            charset = frozenset(c.casefold() for c in charset) | {" "}
        if charset not in self._tables:
            self._tables[charset] = _table(self, charset)
        return self._tables[charset]

    def report(self, labels: Sequence[str] | None = None) -> Report:
        """A row an entity: used, dropped or risky, and why; with a model's `labels`, also what these cannot spell."""
        from .report import make_report

        return make_report(self, labels)

    @property
    def digest(self) -> str:
        """A hash of the content, the same for every order of the list."""
        if self._digest is None:
            lines = sorted(
                repr((e.phrase, e.shown, e.weight, sorted(e.sounds_like), sorted(e.pronunciation))) for e in self._entities
            )
            self._digest = hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return self._digest

    # --- a sequence ---

    @overload
    def __getitem__(self, index: int) -> Entity: ...
    @overload
    def __getitem__(self, index: slice) -> EntityList: ...
    def __getitem__(self, index: int | slice) -> Entity | EntityList:
        return EntityList(self._entities[index]) if isinstance(index, slice) else self._entities[index]

    def __len__(self) -> int:
        return len(self._entities)

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._entities)

    def __eq__(self, other: object) -> bool:
        return self._entities == other._entities if isinstance(other, EntityList) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._entities)

    def __repr__(self) -> str:
        names = ", ".join(repr(entity.shown) for entity in self._entities[:3])
        return f"EntityList([{names}{', ...' if len(self) > 3 else ''}])  # {len(self)} entities"


def _entities(items: Any) -> Iterator[Entity]:
    if isinstance(items, (str, bytes, bytearray)):
        raise EntityTypeError(
            f"An entity list is a list of strings, not one {type(items).__name__}: "
            f"write [{items!r:.60}], or EntityList.read(path) for a file."
        )
    if isinstance(items, os.PathLike):
        raise EntityTypeError(f"An entity list is a list of strings; read a file with EntityList.read({os.fspath(items)!r}).")
    if isinstance(items, Mapping):
        yield from (Entity(phrase, weight=weight) for phrase, weight in items.items())
        return
    if not isinstance(items, Iterable):
        raise EntityTypeError(f"An entity list is a list of strings or Entity objects, not {type(items).__name__}.")
    for position, item in enumerate(items):
        if isinstance(item, Entity):
            yield item
        elif isinstance(item, str):
            yield Entity(item)
        elif isinstance(item, Mapping):
            yield Entity.from_fields(item)
        else:
            raise EntityTypeError(
                f"Item {position} of the entity list is {type(item).__name__} {item!r:.60}; "
                "each item is a string, an Entity, or a mapping of an Entity's fields."
            )


def _merge(a: Entity, b: Entity) -> Entity:
    def joined(x: tuple[str, ...], y: tuple[str, ...]) -> tuple[str, ...]:
        return x if x == y else tuple(sorted({*x, *y}))

    return Entity(
        a.phrase,
        display=a.display or b.display,
        weight=max(a.weight, b.weight),
        sounds_like=joined(a.sounds_like, b.sounds_like),
        pronunciation=joined(a.pronunciation, b.pronunciation),
    )


def _spoken(entity: Entity) -> tuple[tuple[str, ...], tuple[str, ...]]:
    forms = spoken_forms(entity.phrase)
    if not entity.sounds_like:
        return forms[:1], forms[1:]
    own = dict.fromkeys(forms[:1])
    own.update(dict.fromkeys(filter(None, map(normalise, entity.sounds_like))))
    return tuple(own), tuple(form for form in forms[1:] if form not in own)


def spelled(text: str, charset: frozenset[str] | None) -> str | None:
    """`text` as the characters of `charset` (None: any) spell it, without its apostrophes if need be; else None."""
    if charset is None or charset.issuperset(text):
        return text
    plain = text.replace("'", "")
    return plain if plain and charset.issuperset(plain) else None


def _table(entities: EntityList, charset: frozenset[str] | None) -> PhraseTable:
    owners: dict[str, tuple[int, bool]] = {}

    def rank(claim: tuple[int, bool]) -> tuple[bool, float, str, str]:
        entity = entities[claim[0]]
        return claim[1], -entity.weight, entity.shown, entity.phrase

    for index, (own, derived) in enumerate(entities.spoken):
        for forms, claim in ((own, (index, False)), (derived, (index, True))):
            for form in forms:
                text = spelled(form, charset)
                if text is not None:
                    rival = owners.setdefault(text, claim)
                    if rival is not claim and rank(claim) < rank(rival):
                        owners[text] = claim
    texts = tuple(sorted(owners))
    entity = np.fromiter((owners[text][0] for text in texts), np.int32, len(texts))
    weights = np.fromiter((e.weight for e in entities), np.float32, len(entities))
    table = PhraseTable(texts, entity, weights[entity] if len(texts) else weights[:0])
    table.entity.flags.writeable = table.weight.flags.writeable = False
    return table
