"""What `asrbias tune` may change, in which steps, and what it must not exceed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from asrbias.adapting import AdapterOptions
from asrbias.decode_options import DecodeOptions
from asrbias.evidence_options import EvidenceOptions
from asrbias.joint_options import JointOptions
from asrbias.rescoring import RescoreOptions
from asrbias.techniques import ADAPTER, LM, LOOKUP, RESCORING, TECHNIQUES, Setup, find_technique

INF = math.inf
# Path in JointOptions -> the values that are tried. Coarse: smaller steps differ by a few words.
GRIDS: dict[str, tuple[float, ...]] = {
    "decode.lm_weight": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2),
    "decode.word_bonus": (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0),
    "decode.unknown_penalty": (-30.0, -20.0, -15.0, -10.0, -7.0, -5.0, -3.0, -1.0, 0.0),
    "rescore.weight": (0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0, 1.5),
    "decode.bonus": (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0),
    "decode.guard_character": (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, INF),
    "decode.guard_list": (0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8, 3.2),
    "decode.adaptive": (0.0, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0),
    "decode.adaptive_cap": (2.0, 4.0, 6.0, 8.0, 12.0),
    "decode.unigram": (0.0, 0.25, 0.5, 0.75, 1.0),
    "decode.list_prior": (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0),
    "adapter.strength": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0),
    "adapter.caution": (0.0, 1.0, 2.0, 3.0, 4.0),
}
MODEL = ("decode.lm_weight", "decode.word_bonus", "decode.unknown_penalty", "rescore.weight")  # no list is needed
LIST = ("decode.bonus", "decode.guard_character", "decode.guard_list", "decode.adaptive", "decode.adaptive_cap",
        "decode.unigram", "decode.list_prior")  # fmt: skip
ADAPT = ("adapter.strength", "adapter.caution")
NBEST = 50  # hypotheses among which the phones choose
# Of a model that has no options of its own: those that most was known about when this was written (docs/ablation.md).
SEARCH = DecodeOptions(
    beam=64, settled_beam=64, nbest=NBEST, bonus=1.5, adaptive=0.25, adaptive_cap=8.0, adaptive_top_k=32,
    guard_character=2.0, guard_list=2.4, word_bonus=0.5, unknown_penalty=-15.0,
)  # fmt: skip
CAUTIOUS = AdapterOptions(strength=1.5, caution=2.0, least=0.5, growth=0.5)


class TuneError(ValueError):
    """A tuning cannot be done with these values or these data; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """The objective's lists, its bounds, and what may be spent. Raises TuneError for a value out of range."""

    sizes: tuple[int, ...] = (100, 1000)  # distractors beside an utterance's own entities; F1 is their mean
    alone: int = 1000  # distractors in a list of which nothing is said
    lists: int = 2  # such lists, without a phrase in common: with one, a single word decides
    false_hits: float = 1.0  # in 1,000 words, more than there are without a list
    harm: float = 0.3  # points of WER that such lists may add
    folds: int = 5  # parts, by speaker, of which evidence is fitted to all but one
    anew: bool = False  # the evidence's weights are fitted whatever those there say: they are of the same speech
    budget: float | None = None  # minutes, after which nothing new is tried
    trials: int | None = None  # tried at most, those of an earlier run counted

    def __post_init__(self) -> None:
        if not self.sizes or any(size < 1 for size in self.sizes):
            raise TuneError(f"sizes are {list(self.sizes)}; give one or more numbers of distractors, 1 or more each.")
        for name, least in (("alone", 1), ("lists", 1), ("folds", 2), ("trials", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise TuneError(f"{name} is {value}; it must be {least} or more.")
        for name in ("false_hits", "harm", "budget"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < INF:
                raise TuneError(f"{name} is {value}; it must be a number, 0 or more.")

    @property
    def distractors(self) -> int:
        """How many phrases these lists need."""
        return max(*self.sizes, self.alone * self.lists)


def get(options: JointOptions, path: str) -> Any:
    """The value at a path such as "decode.bonus"; None where its technique is off."""
    part, name = path.split(".")
    return getattr(getattr(options, part), name, None)


def exchanged(options: JointOptions, path: str, value: Any) -> JointOptions:
    """These options with another value at a path."""
    part, name = path.split(".")
    return replace(options, **{part: replace(getattr(options, part), **{name: value})})


def changes(before: JointOptions, after: JointOptions) -> dict[str, Any]:
    """Path -> value, of what `after` has otherwise than `before`."""
    found: dict[str, Any] = {}
    old, new = before.to_json(), after.to_json()
    for part, values in new.items():
        if values == old[part]:
            continue
        if not isinstance(values, Mapping) or not isinstance(old[part], Mapping):
            found[part] = values
            continue
        found |= {f"{part}.{name}": value for name, value in values.items() if value != old[part][name]}
    return found


def evidence(options: JointOptions) -> EvidenceOptions | None:
    """The soft rule's options, of lookup or verification; None where neither weighs evidence."""
    wanted = options.lookup if options.verify is None else options.verify
    return wanted if isinstance(wanted, EvidenceOptions) else None


def with_evidence(options: JointOptions, weights: EvidenceOptions) -> JointOptions:
    """Both techniques that weigh evidence, where they are on, with these weights."""
    lookup = weights if isinstance(options.lookup, EvidenceOptions) else options.lookup
    return replace(options, lookup=lookup, verify=weights if options.verify is not None else None)


def only_told(options: JointOptions) -> bool:
    """Whether what the search writes of a list is evidence, and the text that of a search without one."""
    return evidence(options) is not None and (options.adapter is not None or options.verify is not None)


def paths(options: JointOptions, wanted: tuple[str, ...], *, lm: bool) -> list[str]:
    """Those whose technique is on in these options."""
    found = [path for path in wanted if get(options, path) is not None]
    needs_lm = ("decode.lm_weight", "decode.word_bonus", "decode.unknown_penalty", "decode.unigram")
    if not lm:
        found = [path for path in found if path not in (*needs_lm, "decode.list_prior")]
    if not options.decode.adaptive:
        found = [path for path in found if path != "decode.adaptive_cap"]
    if only_told(options):  # the guard is then for whoever leaves the adapter off
        found = [path for path in found if not path.startswith("decode.guard_")]
    if options.decode.guard_character == INF:
        found = [path for path in found if path != "decode.guard_list"]
    return found


def first_options(
    own: JointOptions | None, servable: set[str], off: tuple[str, ...] = ()
) -> tuple[JointOptions, JointOptions, list[str]]:
    """Where a tuning begins: the model's own options, the same with what it can serve switched on, and what is said.

    Args:
        own: of the model; None where it has none.
        servable: names of the techniques that the model can serve.
        off: names of techniques that are to be left out.
    """
    off = tuple(find_technique(name).name for name in off)
    start = own or JointOptions(decode=SEARCH)
    notes = [] if own is not None else ["The model has no options of its own; the start is what others were given."]
    start = replace(start, decode=replace(start.decode, bias=1.0))  # what the dial's 1 means is what is found here
    setup = Setup(options=start, lm=True)
    for name in TECHNIQUES:
        if name not in servable and name not in off and name != LM and TECHNIQUES[name].is_on(setup):
            setup = TECHNIQUES[name].off(setup)
    missing = [name for name in (LM, RESCORING, LOOKUP, ADAPTER) if name not in servable and name not in off]
    if missing:
        notes.append(f"Left out, since the model has nothing for it: {', '.join(missing)}.")
    for name in off:
        setup = TECHNIQUES[name].off(setup)
    if off:
        notes.append(f"Left out, as was asked for: {', '.join(off)}.")
    start = setup.options
    on = start
    if RESCORING in servable and RESCORING not in off and on.rescore is None:
        on = replace(on, rescore=RescoreOptions(), decode=replace(on.decode, nbest=max(NBEST, on.decode.nbest)))
    if LOOKUP in servable and LOOKUP not in off and on.lookup is None:
        on = replace(on, lookup=on.verify or EvidenceOptions())
    if ADAPTER in servable and ADAPTER not in off and on.adapter is None:
        on = replace(on, adapter=CAUTIOUS)
    return start, on, notes
