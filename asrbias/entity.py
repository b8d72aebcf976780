"""One entity: what the user lists, checked. Public through entities.py.

What is shown and what is matched are two things. `Entity.shown` ("AT&T") is written into the transcript; the matching
forms ("at and t", "a t and t": see spoken.py) are what the decoder looks for, all of them shown as the one entity.

Weight: a dimensionless multiplier of the decoder's bonus, from -10 to 10. 1 is the tuned default, 2 twice as eager;
0 boosts nothing but still shows the entity in its display form where it is recognised; a negative one discourages.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from asrbias.text import INVISIBLE

LOWEST_WEIGHT, HIGHEST_WEIGHT = -10.0, 10.0
LONGEST_TEXT = 10_000  # characters of a phrase, display form or alias; a book given by mistake is refused
FIELDS = ("phrase", "display", "weight", "sounds_like", "pronunciation")


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
        if type(phrase) is not str or not phrase.isalpha() or not phrase.isascii() or len(phrase) > LONGEST_TEXT:
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
        if not isinstance(fields, Mapping):
            raise EntityTypeError(f"An entity's fields are a mapping, not {type(fields).__name__} {fields!r:.60}.")
        if unknown := [name for name in fields if name not in FIELDS]:
            raise EntityError(f"Unknown field {unknown[0]!r} of an entity; the fields are {', '.join(FIELDS)}.")
        if "phrase" not in fields:
            raise EntityError(f"An entity needs the field 'phrase'; this one has {', '.join(fields) or 'none'}.")
        return cls(**{name: value for name, value in fields.items() if value is not None or name == "phrase"})


def _clean(text: Any, field: str) -> str:
    """White space squeezed, invisible characters off the ends, letters and their accents composed."""
    if not isinstance(text, str):
        raise EntityTypeError(f"An entity's {field} is text (str), not {type(text).__name__} {text!r:.60}.")
    if len(text) > LONGEST_TEXT:
        raise EntityError(
            f"An entity's {field}, {text[:40]!r}..., is {len(text)} characters long; "
            f"at most {LONGEST_TEXT} are allowed."
        )
    if not text.isascii():
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise EntityError(f"An entity's {field} is {text!r:.60}, which has half a character; read it as UTF-8.")
        text = unicodedata.normalize("NFC", text).strip(INVISIBLE)
    return " ".join(text.split())


def _checked_weight(weight: Any, phrase: str) -> float:
    allowed = f"a finite number from {LOWEST_WEIGHT:g} to {HIGHEST_WEIGHT:g}, where 1 is the default"
    if isinstance(weight, (bool, np.bool_)) or not isinstance(weight, (int, float, np.integer, np.floating)):
        raise EntityTypeError(f"The weight of {phrase!r:.80} is {weight!r:.60}; it must be {allowed}.")
    if not LOWEST_WEIGHT <= weight <= HIGHEST_WEIGHT:  # so is NaN refused
        raise EntityError(f"The weight of {phrase!r:.80} is {weight!r:.60}; it must be {allowed}.")
    return float(weight) + 0.0  # -0.0 is 0.0


def _texts(value: Any, field: str, phrase: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, Mapping)):
        raise EntityTypeError(f"{field} of {phrase!r:.80} is a list of str, not {type(value).__name__} {value!r:.60}.")
    cleaned = (_clean(text, f"{field} (of {phrase!r:.80})") for text in value)
    return tuple(dict.fromkeys(text for text in cleaned if text))


def _phones(value: Any, phrase: str) -> tuple[str, ...]:
    from asrbias.phones import parse_pronunciation

    pronunciations = tuple(text.upper() for text in _texts(value, "pronunciation", phrase))
    for pronunciation in pronunciations:
        try:
            parse_pronunciation(pronunciation)
        except ValueError as error:
            raise EntityError(f"{phrase!r:.80}: {error}.") from None
    return pronunciations
