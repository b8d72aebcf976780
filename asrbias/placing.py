"""Where in a hypothesis entities would stand: for which of its words, and in which of their matching forms.

    places = find_places(hypothesis, spots, forms_of(spots, pronounced, graphs), log_probs, graphs, blank)
    places.gain[2], places.first[2], places.last[2]       # of the third spot

The edges of a spot are looked for among the word boundaries near them; every way is scored in native code
(native/placing.cpp), over every segmentation and every alignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asrbias import _core
from asrbias.exchange import MARGIN
from asrbias.hypothesis import Hypothesis
from asrbias.pronunciations import PronouncedList, Spots
from asrbias.stretches import Stretch, stretches
from asrbias.wordgraphs import SubwordGraphs

EDGES = 3  # word boundaries that are tried for each edge of a place


@dataclass(frozen=True, eq=False)
class Places:
    """For each of S spots, words first .. last - 1 of a hypothesis, for which a form of the entity would stand."""

    gain: npt.NDArray[np.float64]  # [S] nats: log probability with it, less that of the hypothesis as it is
    form: npt.NDArray[np.int32]  # [S] position among the entity's matching forms; -1: it cannot stand anywhere
    first: npt.NDArray[np.int32]  # [S]
    last: npt.NDArray[np.int32]  # [S]

    @classmethod
    def nowhere(cls, count: int) -> Places:
        """Of spots that can stand nowhere."""
        return cls(np.full(count, -np.inf), np.full(count, -1, np.int32), *np.zeros((2, count), np.int32))


def forms_of(spots: Spots, pronounced: PronouncedList, graphs: SubwordGraphs) -> list[_core.Forms]:
    """For each spot, its entity's matching forms as graphs of labels."""
    texts = pronounced.texts
    return [graphs.forms(texts[entity]) for entity in spots.entity.tolist()]


def find_places(
    hypothesis: Hypothesis,
    spots: Spots,
    forms: Sequence[_core.Forms],
    log_probs: npt.NDArray[np.float32],
    graphs: SubwordGraphs,
    blank: int,
) -> Places:
    """The best way to put each entity there. Raises ValueError where log_probs, [T, V] natural logarithms, are none."""
    parts = stretches(hypothesis, len(log_probs))
    if len(parts) == 1:
        return _in_stretch(hypothesis, parts[0], spots, forms, log_probs, graphs, blank)
    found = Places.nowhere(len(spots))
    middle = (spots.first + spots.last) // 2
    for part in parts:
        here = np.flatnonzero((part.begin <= middle) & (middle < part.end))
        if len(here):
            chosen = [forms[n] for n in here.tolist()]
            rows = log_probs[part.begin : part.end]
            some = _in_stretch(hypothesis, part, spots.chosen(here), chosen, rows, graphs, blank)
            for name in ("gain", "form", "first", "last"):
                getattr(found, name)[here] = getattr(some, name)
    return found


def _in_stretch(
    hypothesis: Hypothesis,
    part: Stretch,
    spots: Spots,
    forms: Sequence[_core.Forms],
    log_probs: npt.NDArray[np.float32],
    graphs: SubwordGraphs,
    blank: int,
) -> Places:
    words = hypothesis.words[part.first : part.last]
    spelled = graphs.text(" ".join(word.text for word in words), first=part.first == 0)
    if spelled is None:  # a label holds letters of two words
        return Places.nowhere(len(spots))
    try:
        trellis = _core.Exchange(_core.Frames(np.ascontiguousarray(log_probs), blank), spelled)
    except ValueError:  # the words are not possible here, as where the hypothesis is of other posteriors
        return Places.nowhere(len(spots))
    starts, ends = [word.start - part.begin for word in words], [word.end - part.begin for word in words]
    first, last = spots.first - part.begin, spots.last - part.begin
    gain, form, begin, end = trellis.places(starts, ends, part.first == 0, first, last, forms, EDGES, MARGIN)
    return Places(gain, form, begin + part.first, end + part.first)
