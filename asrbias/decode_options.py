"""What a search may spend, and how much phrases and a language model weigh in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal, get_args

Top = Literal["label", "prefix"]
COUNTS = {"beam": 1, "settled_beam": 0, "nbest": 1, "top_k": 1, "adaptive_top_k": 1}  # option -> least
MOST = 10_000_000  # of what is counted
# option -> (least, largest, what it is a number of)
RANGES: dict[str, tuple[float, float, str]] = {
    "token_threshold": (0.0, float("inf"), "nats"),
    "phrase_threshold": (0.0, float("inf"), "nats"),
    "beam_threshold": (0.0, float("inf"), "nats"),
    "bias": (0.0, 2.0, "a factor"),
    "bonus": (0.0, 1000.0, "nats per character"),
    "adaptive": (0.0, 1.0, "a share of the gap"),
    "adaptive_cap": (0.0, 1000.0, "nats"),
    "guard_character": (0.0, float("inf"), "nats"),
    "guard_list": (0.0, 1000.0, "nats"),
    "guard_common": (0.0, 1000.0, "nats"),
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

    beam: int = 32  # hypotheses kept after each frame; with a list or a language model, of different futures each
    settled_beam: int = 16  # futures kept besides for what they are worth if every open match fails; 0: none
    nbest: int = 10  # hypotheses returned at most; with a list or a model, so many variants stay besides
    top_k: int = 32  # tokens per frame that may extend a hypothesis by their acoustics alone
    token_threshold: float = 8.0  # nats below the frame's best label, beyond which no token enters by its acoustics
    phrase_threshold: float = 10.0  # the same for tokens that continue a listed phrase, whatever their rank
    beam_threshold: float = 12.0  # nats below the best hypothesis (open matches not counted) that one may be

    bias: float = 1.0  # 0..2, the dial for users: 0 no list, 1 the values below, 2 strong (dialled)
    bonus: float = 1.0  # nats per character of a listed phrase, for long phrases (phrases.py)

    adaptive: float = 0.0  # 0..1: share that a listed token is paid of what it lacks to the best; 0: none (paper, 6.2)
    adaptive_cap: float = 4.0  # nats: a token is taken to lack this much at most
    adaptive_top: Top = "label"  # the best: the frame's likeliest label, or the likeliest prefix ("prefix")
    adaptive_top_k: int = 8  # likeliest tokens of a frame, among which a token must be to be paid

    # The guard (native/guard.hpp): a phrase is paid only where its alignment does not fall behind the likeliest labels
    # of its frames by more than guard_character * characters - guard_list * log(phrases of the list) - guard_common.
    guard_character: float = float("inf")  # nats for each character of the phrase; inf: no guard
    guard_list: float = 0.0  # nats less for a list e times as long
    guard_common: float = 0.0  # nats less for a phrase all of whose words are common English ones

    # With a language model:
    lm_weight: float = 0.5  # factor of its natural-log probabilities
    word_bonus: float = 1.0  # nats for each word: a model's probabilities alone favour few words
    unknown_penalty: float = -10.0  # nats for each word that the model does not know, added to the cost of its <unk>
    unigram: float = 1.0  # 0..1: share of the class's gain that a listed phrase is paid; 0: none (paper, 6.3)
    list_prior: float = 1.0  # nats that a phrase of a list e times as long is paid less in it (paper: lm_weight)
    boost_word: str = "<boost>"  # the model's word that stands for what is listed; where it has none, its <unk> does

    def __post_init__(self) -> None:
        for name, fewest in COUNTS.items():
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or not fewest <= int(value) <= MOST:
                raise DecoderError(f"{name} is {value!r}; it must be a whole number, {fewest} or more, up to {MOST}.")
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

    def dialled(self) -> DecodeOptions:
        """These options at bias 1: what the dial makes of them.

        Bonuses are multiplied by it (adaptive and unigram boosting up to 1); from 1 to 2 the guard opens: each of its
        terms grows or shrinks by 2 - bias, and at 2 there is none.
        """
        if self.bias == 1.0:
            return self
        shut = min(1.0, 2.0 - self.bias)
        return replace(
            self,
            bias=1.0,
            bonus=min(self.bonus * self.bias, RANGES["bonus"][1]),
            adaptive=self.adaptive * min(1.0, self.bias),
            unigram=self.unigram * min(1.0, self.bias),
            guard_character=self.guard_character / shut if shut > 0 else float("inf"),
            guard_list=self.guard_list * shut,
            guard_common=self.guard_common * shut,
        )
