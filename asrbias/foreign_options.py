"""What models of others are decoded with: what they cannot serve is off, what reads sounds reads what they spell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from asrbias.adapting import AdapterOptions
from asrbias.decode_options import DecodeOptions
from asrbias.evidence_options import PACE, EvidenceOptions
from asrbias.foreign import ForeignModel
from asrbias.joint_options import JointOptions
from asrbias.spelled_options import SpelledOptions

NEEDS = ("rescore", "lookup", "verify", "adapter")  # of JointOptions: what reads a phone head or hidden states
FRAME = 0.04  # seconds, of the model that SPELLED was fitted on
# Fitted on speech/dev by the evidence step of `asrbias tune`, without the starter's phone head and language model
# (docs/models.md).
SPELLED = EvidenceOptions(
    threshold=-4.2, growth=1.671, rarity_weight=0.476, pace_weight=2.364, letter_weight=0.125, subword_weight=0.529,
    context_weight=0.529, heard=0.221,
)  # fmt: skip
GUARDED = DecodeOptions(
    bonus=1.5, adaptive=0.25, adaptive_cap=8.0, adaptive_top_k=32, guard_character=2.0, guard_list=2.6,
)  # fmt: skip


def usual_options(model: ForeignModel, nbest: int) -> JointOptions:
    """What such a model is decoded with where nothing is said of it.

    A guarded search, and lookup by the sounds of what the model spells; without these where its labels spell no English
    letters, or it has an adapter, which was trained for the search alone.
    """
    nbest = max(DecodeOptions().nbest, nbest)
    if model.adapter is not None or not model.spells:
        return JointOptions(decode=DecodeOptions(nbest=nbest))
    lookup = spelled_evidence(model.seconds_per_frame)
    return JointOptions(decode=replace(GUARDED, nbest=nbest), lookup=lookup, spelled=SpelledOptions())


def spelled_evidence(seconds_per_frame: float) -> EvidenceOptions:
    """Weights of the soft rule for spelled phones, of a model whose frames are so long."""
    return replace(SPELLED, pace=PACE * FRAME / seconds_per_frame)


def servable(options: Any, model: ForeignModel) -> tuple[Any, tuple[str, ...]]:
    """The options without what a foreign model cannot serve, and what that was; its adapter is on.

    Lookup and verification stay where the labels spell English letters: they read the phones of what is spelled.
    Rescoring does not: it would rank the model's texts by the sounds of these texts.
    """
    if isinstance(options, DecodeOptions) and model.adapter is not None:
        options = JointOptions(decode=options)
    if not isinstance(options, JointOptions):
        return options, ()
    adapter = (options.adapter or AdapterOptions()) if model.adapter is not None else None
    made = replace(options, rescore=None, adapter=adapter)
    if not model.spells:
        made = replace(made, lookup=None, verify=None, spelled=None)
    elif made.sounds:
        made = replace(made, spelled=made.spelled or SpelledOptions())
    return made, tuple(name for name in NEEDS if getattr(options, name) is not None and getattr(made, name) is None)
