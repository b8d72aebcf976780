"""What a recognizer is made of, in words: for users who load models of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrbias.foreign import ForeignModel
from asrbias.foreign_options import NEEDS
from asrbias.joint import JointDecoder
from asrbias.phrases import Spelling

if TYPE_CHECKING:
    from asrbias.recognizer import Recognizer

NAMES = {
    "rescore": "rescoring by sounds",
    "lookup": "pronunciation lookup",
    "verify": "verification by sounds",
    "adapter": "contextual adapter",
}
SEPARATORS = {
    "▁": "pieces, ▁ where a word begins",
    " ": "characters, a space between words",
    "|": "characters, | between words",
}


def describe(recognizer: Recognizer) -> str:
    """A line each: model, labels, audio, then every technique with "on", or "off" and the reason."""
    model, foreign = recognizer.model, isinstance(recognizer.model, ForeignModel)
    labels, blank = model.vocabulary.labels, model.vocabulary.blank
    spelling = Spelling.of(labels, blank)
    kind = SEPARATORS.get(spelling.separator or "", "without a word separator: no lists, no language model")
    case = "; capitals, shown small" if any(a.isupper() for a in labels) and "".join(spelling.shown).islower() else ""
    rows = [
        f"model: {getattr(model, 'name', None) or 'asrbias, with a phone head' * (not foreign)}",
        f"labels: {len(labels)}, {kind}{case}; blank {labels[blank]!r} at {blank}",
        f"audio: {model.sample_rate} Hz, {1000 * model.seconds_per_frame:.0f} ms a frame",
    ]
    decoder = recognizer.decoder
    if not isinstance(decoder, JointDecoder):
        return "\n".join([*rows, "decoder: pyctcdecode"])
    lists = spelling.separator is not None
    rows.append(f"lists: {'on' if lists else 'off: the labels have no word separator'}")
    rows.append(f"language model: {'on' if decoder.search.speaks else 'off: none was given'}")
    for name in NEEDS:
        on = getattr(decoder.options, name) is not None
        why = _why_off(model, name) if isinstance(model, ForeignModel) else "not in the options"
        how = ", by the sounds of what the model spells" if foreign and name != "adapter" else ""
        rows.append(f"{NAMES[name]}: " + (f"on{how}" if on else f"off: {why}"))
    return "\n".join(rows)


def _why_off(model: ForeignModel, name: str) -> str:
    """Why a technique is off that the model does not serve, or that was not asked for."""
    if name == "rescore" or (name != "adapter" and not model.spells):
        return "the model has no phone head" + ("" if model.spells else ", and spells no English letters")
    if name != "adapter":
        return "not in the options"
    return "the model shows nothing but posteriors" if model.inside is None else "none was given"
