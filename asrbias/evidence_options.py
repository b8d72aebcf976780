"""Options of the soft rule (evidence.py): what speaks for an entity, and how much of it is enough."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

PACE = 1.57  # frames of 40 ms a phone that are usual


class EvidenceError(ValueError):
    """An option of the soft rule has a value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class EvidenceOptions:
    """Weights tuned on speech/dev by `asrbias tune` (docs/tuning.md). Raises EvidenceError for a value out of range."""

    threshold: float = 0.13  # nats, for a list of one
    growth: float = 1.245  # nats per e-fold of the list's size
    dial: float = 4.0  # nats by which the dial (DecodeOptions.bias) lowers the threshold from 1 to 2
    phone_weight: float = 1.0
    rarity_weight: float = 0.414
    pace_weight: float = 2.5  # nats
    pace: float = PACE  # frames a phone that are usual, by the model's own frames
    letter_weight: float = 0.286  # nats a letter
    rival_weight: float = 0.0  # of the best frequent word in the same place; 0: none is looked for
    subword_weight: float = 0.232
    context_weight: float = 0.324
    heard: float = 3.7  # nats
    written: float = 0.0  # nats
    attended_weight: float = 0.0  # of the adapter's attention; 0: none is asked
    temperature: float = 0.5  # exponent of both posteriors before they are normalised again
    cost: float = 1.2  # nats a phone by which a place may fall short of the best labels
    slack: float = 2.5  # nats more
    keep: int = 100  # places of an utterance that are looked at

    def __post_init__(self) -> None:
        if isinstance(self.keep, bool) or not isinstance(self.keep, int) or not 0 <= self.keep <= 100_000:
            raise EvidenceError(f"keep is {self.keep!r}; it must be a whole number, 0 or more.")
        for name in (one.name for one in fields(self) if one.name != "keep"):
            value = getattr(self, name)
            least = -1000.0 if name == "threshold" else 0.0
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 1000:
                raise EvidenceError(f"{name} is {value!r}; it must be a number from {least:g} to 1000.")
        for name in ("temperature", "pace"):
            if not getattr(self, name) > 0:
                raise EvidenceError(f"{name} is {getattr(self, name)!r}; it must be above 0.")


def threshold(options: EvidenceOptions, entities: int) -> float:
    """Nats that the evidence must reach for a list of so many."""
    return options.threshold + options.growth * math.log(max(1, entities))
