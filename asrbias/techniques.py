"""The techniques of decoder biasing by name, and how each is switched on and off alone.

    setup = Setup(options, lm=True)
    TECHNIQUES["phonetic rescoring"].off(setup)

A technique is off where one field of `JointOptions` has the value that says so; its other fields weigh nothing then.
The language model is a technique too: it is on where `Setup.lm` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asrbias.adapting import AdapterOptions
from asrbias.decode_options import DecodeOptions
from asrbias.evidence_options import EvidenceOptions
from asrbias.joint_options import EXACT, JointOptions
from asrbias.rescoring import RescoreOptions
from asrbias.variants import VariantOptions


class TechniqueError(ValueError):
    """A technique is not known, or cannot be used here; the message says what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How a decoder is made: its options, and whether it gets the language model."""

    options: JointOptions
    lm: bool


@dataclass(frozen=True, kw_only=True)
class Technique:
    """One of them."""

    name: str
    says: str  # what it does, for people
    path: str  # of the field in Setup that switches it
    none: Any  # value of the field that switches it off
    usual: Callable[[JointOptions], Any]  # value where it is to be on, beside options that have it off
    also: tuple[str, ...] = ()  # paths of the other fields that say how strong it is
    others: Mapping[str, Any] = field(default_factory=dict)  # other ways to do it: name and value of the field
    uses_list: bool = True
    needs: tuple[str, ...] = ()  # without which it does nothing
    carriers: tuple[str, ...] = ()  # it is shown on top of each of these too
    by_itself: bool = True  # does something without a carrier
    sounds: bool = False  # reads the phone head

    def value(self, setup: Setup) -> Any:
        return _get(setup, self.path)

    def is_on(self, setup: Setup) -> bool:
        return bool(self.value(setup) != self.none)

    def off(self, setup: Setup) -> Setup:
        return exchanged(setup, self, self.none)

    def on(self, setup: Setup, like: Setup) -> Setup:
        """On as it is in `like`; as it usually is, where it is off there."""
        for path in self.also:
            setup = _with(setup, path.split("."), _get(like, path))
        return exchanged(setup, self, self.value(like) if self.is_on(like) else self.usual(setup.options))


def _get(owner: Any, path: str) -> Any:
    for name in path.split("."):
        owner = getattr(owner, name)
    return owner


def _with(owner: Any, path: list[str], value: Any) -> Any:
    inner = _with(getattr(owner, path[0]), path[1:], value) if len(path) > 1 else value
    return replace(owner, **{path[0]: inner})


def _decode(*names: str) -> tuple[str, ...]:
    return tuple(f"options.decode.{name}" for name in names)


def _evidence(other: object) -> EvidenceOptions:
    """Lookup and verification must weigh alike: the other one's, if that is on."""
    return other if isinstance(other, EvidenceOptions) else EvidenceOptions()


LM, BONUS, ADAPTIVE, UNIGRAM = "language model", "phrase bonus", "adaptive boosting", "unigram boosting"
RESCORING, LOOKUP, VARIANTS = "phonetic rescoring", "pronunciation lookup", "G2G variants"
VERIFY, GUARD = "verification", "guard"
ADAPTER = "contextual adapter"

TECHNIQUES: dict[str, Technique] = {
    one.name: one
    for one in (
        Technique(name=LM, says="a word n-gram model, fused at word ends", path="lm", none=False, usual=lambda _: True,
                  uses_list=False),
        Technique(name=ADAPTER, says="the encoder's last layer is told which listed entities are being said",
                  path="options.adapter", none=None, usual=lambda _: AdapterOptions()),
        Technique(name=BONUS, says="nats for each character of a listed phrase", path="options.decode.bonus",
                  none=0.0, usual=lambda _: DecodeOptions().bonus),
        Technique(name=ADAPTIVE, says="a share of what a listed subword lacks to the frame's best",
                  path="options.decode.adaptive", none=0.0, usual=lambda _: 0.25,
                  also=_decode("adaptive_cap", "adaptive_top", "adaptive_top_k")),
        Technique(name=UNIGRAM, says="the language model's class for the list", path="options.decode.unigram",
                  none=0.0, usual=lambda _: 1.0, also=_decode("list_prior", "boost_word"), needs=(LM,)),
        Technique(name=RESCORING, says="the n-best ranked again by how its words sound", path="options.rescore",
                  none=None, usual=lambda _: RescoreOptions(), also=_decode("nbest"), carriers=(BONUS,),
                  uses_list=False, sounds=True),
        Technique(name=LOOKUP, says="words that sound like a listed entity become it", path="options.lookup",
                  none=None, usual=lambda o: _evidence(o.verify), others={f"{LOOKUP}, exact rule": EXACT}, sounds=True),
        Technique(name=VARIANTS, says="other spellings and pronunciations of what is listed", path="options.variants",
                  none=None, usual=lambda _: VariantOptions(), carriers=(BONUS, LOOKUP), by_itself=False),
        Technique(name=VERIFY, says="what the search writes of the list must pass the lookup's evidence",
                  path="options.verify", none=None, usual=lambda o: _evidence(o.lookup), carriers=(BONUS,),
                  by_itself=False, sounds=True),
        Technique(name=GUARD, says="a phrase is paid only where its own alignment bears it out",
                  path="options.decode.guard_character", none=math.inf, usual=lambda _: 1.5,
                  also=_decode("guard_list", "guard_common"), carriers=(BONUS,), by_itself=False),
    )
}  # fmt: skip


def find_technique(name: str) -> Technique:
    """Raises TechniqueError for a name that is none of TECHNIQUES."""
    if name not in TECHNIQUES:
        raise TechniqueError(f"There is no technique {name!r}; choose one of {', '.join(TECHNIQUES)}.")
    return TECHNIQUES[name]


def all_off(setup: Setup, but: Iterable[str] = ()) -> Setup:
    """No technique but those named."""
    kept = set(but)
    for technique in TECHNIQUES.values():
        if technique.name not in kept:
            setup = technique.off(setup)
    return setup


def exchanged(setup: Setup, technique: Technique, value: Any) -> Setup:
    """The technique done another way."""
    changed: Setup = _with(setup, technique.path.split("."), value)
    return changed


def uses_list(setup: Setup) -> bool:
    """Whether any technique that is on makes use of a list; one that does nothing by itself does not."""
    listed = [one for one in TECHNIQUES.values() if one.uses_list and one.by_itself]
    return any(one.is_on(setup) and all(TECHNIQUES[name].is_on(setup) for name in one.needs) for one in listed)
