"""The options of joint decoding: every technique of decoder biasing with its own, each of which may be left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from asrbias.adapting import AdapterOptions
from asrbias.decode_options import DecodeOptions
from asrbias.evidence_options import EvidenceOptions
from asrbias.rescoring import RescoreOptions
from asrbias.spelled_options import SpelledOptions
from asrbias.variants import VariantOptions

EXACT = "exact"


class JointError(ValueError):
    """Options of joint decoding, or what is decoded with them, do not fit together."""


class JointTypeError(TypeError):
    """An option of joint decoding is of a type that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class JointOptions:
    """What a JointDecoder does. None leaves a technique out.

    Raises JointTypeError for an option of another type, JointError where `lookup` and `verify` weigh evidence
    differently; the options themselves say which values they take.
    """

    decode: DecodeOptions = field(default_factory=DecodeOptions)  # the search, and what it pays for listed phrases
    rescore: RescoreOptions | None = None  # the n-best ranked again by phones (rescoring.py)
    lookup: EvidenceOptions | Literal["exact"] | None = None  # entities put where their sounds are (lookup.py)
    verify: EvidenceOptions | None = None  # what the search proposes must pass the same evidence (evidence.py)
    adapter: AdapterOptions | None = None  # the model's adapter (adapting.py), which works before the search
    variants: VariantOptions | None = None  # other spellings and pronunciations of what is listed (g2g.py)
    spelled: SpelledOptions | None = None  # phones of what is spelled, where no others are given

    def __post_init__(self) -> None:
        for name, kind in KINDS.items():
            value = getattr(self, name)
            if (value is None and name != "decode") or (name == "lookup" and value == EXACT):
                continue
            if not isinstance(value, kind):
                allowed = f"a {kind.__name__}" + {"decode": "", "lookup": ", 'exact' or None"}.get(name, " or None")
                raise JointTypeError(f"{name} is {value!r:.80}; it must be {allowed}.")
        if self.verify is not None and isinstance(self.lookup, EvidenceOptions) and self.lookup != self.verify:
            raise JointError(
                "lookup and verify differ; what passes one must pass the other: give both the same options."
            )

    @property
    def sounds(self) -> bool:
        """Whether anything here reads the phone head's posteriors."""
        return self.rescore is not None or self.lookup is not None or self.verify is not None

    def to_json(self) -> dict[str, Any]:
        """For a model's decode.json; `from_json` reads it."""
        return {name: asdict(v) if name in KINDS and v != EXACT and v is not None else v for name, v in self._parts()}

    def _parts(self) -> list[tuple[str, Any]]:
        return [(one.name, getattr(self, one.name)) for one in fields(self)]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> JointOptions:
        """What `to_json` gives, any part of it left out or null; or the options of DecodeOptions alone, in one level.

        Raises JointError for a name that is not known, and what the options raise for their values.
        """
        if not isinstance(content, Mapping):
            raise JointTypeError(f"The options are {type(content).__name__}; they must be a JSON object.")
        if content and not set(content) & set(KINDS):
            return cls(decode=_options(DecodeOptions, content, "decode"))
        if unknown := sorted(set(content) - set(KINDS)):
            raise JointError(f"{unknown[0]!r} is no option; there are {', '.join(KINDS)}.")
        given = {name: _options(KINDS[name], value, name) for name, value in content.items() if value is not None}
        return cls(**given)


KINDS: dict[str, type[Any]] = {
    "decode": DecodeOptions,
    "rescore": RescoreOptions,
    "lookup": EvidenceOptions,
    "verify": EvidenceOptions,
    "adapter": AdapterOptions,
    "variants": VariantOptions,
    "spelled": SpelledOptions,
}


def _options(kind: type[Any], content: Any, name: str) -> Any:
    if name == "lookup" and content == EXACT:
        return content
    if not isinstance(content, Mapping):
        raise JointTypeError(f"{name} is {content!r:.80}; it must be a JSON object of its options, or null.")
    known = [one.name for one in fields(kind)]
    if unknown := sorted(set(content) - set(known)):
        raise JointError(f"{unknown[0]!r} is no option of {name}; there are {', '.join(known)}.")
    return kind(**content)


def unguarded(decode: DecodeOptions) -> DecodeOptions:
    """Of a search whose text is evidence only: what guards it is what the evidence asks for (docs/phones.md)."""
    return replace(decode, guard_character=math.inf, guard_list=0.0, guard_common=0.0)
