"""Entity lists: read, check, report, make the phrases that a decoder looks for, keep them.

    entities = EntityList(["Zelenskyy", Entity("Kyiv", weight=2.0, sounds_like="keev")])
    entities = EntityList.read("names.tsv")         # the formats are described in listfiles.py
    print(entities.report())                        # a row an entity: used, dropped, risky, and why

See entity.py for the fields of an entity, spoken.py for its matching forms, phrasetable.py for who owns a form.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from asrbias.entity import FIELDS, HIGHEST_WEIGHT, LOWEST_WEIGHT, Entity, EntityError, EntityTypeError
from asrbias.phrasetable import Forms, PhraseTable, forms_of, make_table

if TYPE_CHECKING:
    from asrbias.report import Report

__all__ = [
    "FIELDS", "HIGHEST_WEIGHT", "LOWEST_WEIGHT",
    "Entity", "EntityError", "EntityList", "EntityTypeError", "PhraseTable",
]  # fmt: skip


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

    __slots__ = ("_digest", "_entities", "_notes", "_remarks", "_spoken", "_tables")

    def __init__(self, items: Iterable[str | Entity | Mapping[str, Any]] | Mapping[str, float] = ()) -> None:
        self._fill([(entity, ()) for entity in _entities(items)], ())

    def _fill(self, rows: Iterable[tuple[Entity, tuple[str, ...]]], notes: tuple[str, ...]) -> None:
        """Merge the rows: entities, each with the remarks of whoever read it."""
        merged: dict[tuple[str, str], Entity] = {}
        listed: dict[tuple[str, str], list[float]] = {}
        remarks: dict[tuple[str, str], tuple[str, ...]] = {}
        for entity, remark in rows:
            key = (entity.phrase, entity.display or entity.phrase)
            if remark:
                remarks[key] = tuple(dict.fromkeys(remarks.get(key, ()) + remark))
            if key in merged:
                listed.setdefault(key, [merged[key].weight]).append(entity.weight)
                merged[key] = _merge(merged[key], entity)
            else:
                merged[key] = entity
        for key, weights in listed.items():
            chosen = f", with the largest weight, {max(weights):g}" if len(set(weights)) > 1 else ""
            remarks[key] = (f"Listed {len(weights)} times; merged into one{chosen}.", *remarks.get(key, ()))
        self._entities = tuple(merged.values())
        self._remarks = {i: remarks[key] for i, key in enumerate(merged) if key in remarks} if remarks else {}
        self._notes = notes
        self._digest: str | None = None
        self._spoken: list[Forms] | None = None
        self._tables: dict[frozenset[str] | None, PhraseTable] = {}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> EntityList:
        """The list in a file; listfiles.py describes the formats.

        Raises EntityError with the file, the line and what is allowed; OSError if the file cannot be read.
        """
        from asrbias.listfiles import read_rows

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
    def spoken(self) -> Sequence[Forms]:
        """Per entity: the matching forms spelled by the user (phrase, aliases), and those derived from the phrase."""
        if self._spoken is None:
            self._spoken = [forms_of(entity) for entity in self._entities]
        return self._spoken

    def forms(self, charset: frozenset[str] | None = None) -> PhraseTable:
        """The phrases to look for, of those that `charset` can spell (None: all). Made once for each charset.

        `charset` holds single characters; capitals count as their small letters, and the space need not be in it.
        Where it has no apostrophe, "o'neill" becomes "oneill".
        """
        if charset is not None:
            charset = frozenset(c.casefold() for c in charset) | {" "}
        if charset not in self._tables:
            self._tables[charset] = make_table(self._entities, self.spoken, charset)
        return self._tables[charset]

    def report(self, labels: Sequence[str] | None = None) -> Report:
        """A row an entity: used, dropped or risky, and why; with a model's `labels`, also what these cannot spell."""
        from asrbias.report import make_report

        return make_report(self, labels)

    @property
    def digest(self) -> str:
        """A hash of the content, the same for every order of the list."""
        if self._digest is None:
            lines = sorted(
                repr((e.phrase, e.shown, e.weight, sorted(e.sounds_like), sorted(e.pronunciation)))
                for e in self._entities
            )
            content = "\n".join(lines).encode("utf-8", "surrogatepass")
            self._digest = hashlib.blake2b(content, digest_size=16).hexdigest()
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
        if not isinstance(other, EntityList):
            return NotImplemented
        return self is other or self._entities == other._entities

    def __hash__(self) -> int:
        return hash(self.digest)  # made once: decoders look lists up for every utterance

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
        raise EntityTypeError(f"An entity list is no path; for a file: EntityList.read({os.fspath(items)!r}).")
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
