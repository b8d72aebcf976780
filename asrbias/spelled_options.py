"""How what a model spells becomes posteriors of phones (spelledphones.py)."""

from __future__ import annotations

from dataclasses import dataclass, fields


class SpelledPhonesError(ValueError):
    """An option of spelled phones has a value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class SpelledOptions:
    """How what is spelled becomes posteriors. Raises SpelledPhonesError for a value out of range."""

    beam: int = 32  # of the search for texts
    texts: int = 8  # most likely ones, that are pronounced
    doubt: float = 0.3  # probability that a phone is another one than was spelled
    silent: float = 0.1  # probability of blank where a phone is
    between: float = 0.85  # probability of blank where none is

    def __post_init__(self) -> None:
        for name in ("beam", "texts"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
                raise SpelledPhonesError(f"{name} is {value!r}; it must be a whole number from 1 to 10,000.")
        for name in (one.name for one in fields(self) if one.name not in ("beam", "texts")):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < 1.0:
                raise SpelledPhonesError(f"{name} is {value!r}; it must be a number between 0 and 1.")
