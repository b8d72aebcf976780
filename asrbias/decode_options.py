"""What a search may spend, and how much phrases and a language model weigh in it."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args

Top = Literal["label", "prefix"]
COUNTS = ("beam", "nbest", "top_k", "adaptive_top_k")
MOST = 10_000_000  # of what is counted
# option -> (least, largest, what it is a number of)
RANGES: dict[str, tuple[float, float, str]] = {
    "token_threshold": (0.0, float("inf"), "nats"),
    "phrase_threshold": (0.0, float("inf"), "nats"),
    "beam_threshold": (0.0, float("inf"), "nats"),
    "bonus": (0.0, 1000.0, "nats per character"),
    "adaptive": (0.0, 1.0, "a share of the gap"),
    "adaptive_cap": (0.0, 1000.0, "nats"),
    "lm_weight": (0.0, 100.0, "a factor"),
    "word_bonus": (-1000.0, 1000.0, "nats"),
    "unknown_penalty": (-1000.0, 1000.0, "nats"),
    "unigram": (0.0, 1.0, "a share"),
    "list_prior": (0.0, 10.0, "a factor"),
}


class DecoderError(ValueError):
    """A decoder cannot be made, or cannot decode, with these values."""


class DecoderTypeError(TypeError):
    """A decoder was given something of a type that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """What a search may spend, what a listed phrase earns, what a language model weighs.

    native/tracker.hpp says exactly what `bonus`, `adaptive` and `unigram` pay. Raises DecoderError for a value out of
    range.
    """

    beam: int = 32  # hypotheses kept after each frame
    nbest: int = 10  # hypotheses returned at most
    top_k: int = 32  # tokens per frame that may extend a hypothesis by their acoustics alone
    token_threshold: float = 8.0  # nats below the frame's best label, beyond which no token enters by its acoustics
    phrase_threshold: float = 10.0  # the same for tokens that continue a listed phrase, whatever their rank
    beam_threshold: float = 12.0  # nats below the best hypothesis (open matches not counted) that one may be

    bonus: float = 1.0  # nats per character of a listed phrase, for long phrases (phrases.py); the dial of biasing

    adaptive: float = 0.0  # 0..1: share that a listed token is paid of what it lacks to the best; 0: none (paper, 6.2)
    adaptive_cap: float = 4.0  # nats: a token is taken to lack this much at most
    adaptive_top: Top = "label"  # the best: the frame's likeliest label, or the likeliest prefix ("prefix")
    adaptive_top_k: int = 8  # likeliest tokens of a frame, among which a token must be to be paid

    # With a language model:
    lm_weight: float = 0.5  # factor of its natural-log probabilities
    word_bonus: float = 1.0  # nats for each word: a model's probabilities alone favour few words
    unknown_penalty: float = -3.0  # nats for each word that the model does not know, added to the cost of its <unk>
    unigram: float = 1.0  # 0..1: share of the class's gain that a listed phrase is paid; 0: none (paper, 6.3)
    list_prior: float = 1.0  # nats that a phrase of a list e times as long is paid less in it (paper: lm_weight)
    boost_word: str = "<boost>"  # the model's word that stands for what is listed; where it has none, its <unk> does

    def __post_init__(self) -> None:
        for name in COUNTS:
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or not 1 <= int(value) <= MOST:
                raise DecoderError(f"{name} is {value!r}; it must be a whole number, 1 or more.")
            object.__setattr__(self, name, int(value))
        for name, (least, largest, unit) in RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not least <= float(value) <= largest:
                most = f" to {largest:g}" if largest < float("inf") else " or more"
                raise DecoderError(f"{name} is {value!r}; it must be {unit}, {least:g}{most}.")
            object.__setattr__(self, name, float(value))
        if self.adaptive_top not in get_args(Top):
            raise DecoderError(f"adaptive_top is {self.adaptive_top!r}; it must be 'label' or 'prefix'.")
        if not isinstance(self.boost_word, str) or not self.boost_word:
            raise DecoderError(f"boost_word is {self.boost_word!r}; it must be a word of the language model.")
