"""What speaks for a listed entity in a place of an utterance: one rule for all that looks for entities there.

    evidence = phone_weight * fit          its phones' best path less the best labels of the same frames (tempered)
             + rarity_weight * rarity      -log of its phones' shares: what chance does not make
             - pace_weight * (log(frames a phone / pace))^2    said neither too fast nor too slowly; HASTE at most
             + letter_weight * letters * weight    what being listed is worth, as the beam search's bonus
             + subword_weight * (S(with it) - S(as it is))    log probability of both texts over every segmentation and
                                           every alignment (tempered), the text being the best without language model;
                                           LEAST at least
             + context_weight * (S(with it) - S(as it is))    the same for the best text with the language model
             + heard, if that text has the entity there without being told of it
             + written, if a search that was told of the list writes it there
             + attended_weight * A         how much the adapter, if there is one, attends to it there (adapting.py)

It passes if it is at least threshold + growth * log(entities): a long list has something similar to everything.

Phones are compared with the best labels and not with those of a text's words, because these are often no words at all
where an unknown name was said. The weights are those of a logistic regression (`asrbias tune`).
Places come from the list's sounds (pronunciations.py), or are those of entities that something else proposes, such as
a search that pays for them; these are looked for with less to go by, since they are few.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from asrbias import _core
from asrbias.adapting import Adapted
from asrbias.exchange import MARGIN
from asrbias.hypothesis import Hypothesis
from asrbias.pronunciations import PronouncedList, Spot
from asrbias.stretches import Stretch, stretches
from asrbias.wordgraphs import SubwordGraphs, tempered

EDGES = 3  # word boundaries that are tried for each edge of a place
PACE = 1.57  # frames of 40 ms a phone that are usual
# Beyond these it is all the same: else what is certainly wrong decides how much a little doubt counts (docs/log.md).
LEAST = -8.0  # nats that a text may be less probable
HASTE = 1.0  # of the square of log(frames a phone / pace)
HOPE = 4.0  # nats that subwords may add to what the phones say, at the most
MOST_ATTENDED = 9.3  # nats of attention, at the most
OPEN = 2.0  # times `cost` and `slack` that a proposed entity may fall short


class EvidenceError(ValueError):
    """An option of the soft rule has a value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class EvidenceOptions:
    """Weights tuned on speech/dev by `asrbias tune` (docs/tuning.md). Raises EvidenceError for a value out of range."""

    threshold: float = 3.4  # nats, for a list of one
    growth: float = 1.39  # nats per e-fold of the list's size
    phone_weight: float = 1.0
    rarity_weight: float = 0.44
    pace_weight: float = 1.94  # nats
    pace: float = PACE  # frames a phone that are usual, by the model's own frames
    letter_weight: float = 0.325  # nats a letter
    subword_weight: float = 0.054
    context_weight: float = 0.266
    heard: float = 6.9  # nats
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


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An entity in a place, with what speaks for it."""

    spot: Spot
    letters: float  # of its longest matching form, times its weight
    subwords: float  # nats, against the text without language model
    context: float  # nats, against the text with it
    heard: bool  # whether that text has it there
    attended: float  # nats: the adapter's attention to it there; 0 without an adapter
    written: bool = False  # whether a search that was told of the list writes it there
    gain: float  # the evidence above the threshold, nats


@dataclass(frozen=True)
class Place:
    """The words first .. last - 1 of a hypothesis, for which a text would stand."""

    text: str
    first: int
    last: int
    gain: float  # nats: log probability with it, less that of the hypothesis as it is


class Evidence:
    """Weighs the places that a list's sounds have in an utterance."""

    def __init__(self, graphs: SubwordGraphs, blank: int, options: EvidenceOptions) -> None:
        self._graphs, self._blank, self._options = graphs, blank, options

    def claims(
        self,
        plain: Hypothesis,
        unbiased: Hypothesis,
        log_probs: npt.NDArray[np.float32],
        phone_log_probs: npt.NDArray[np.float32],
        pronounced: PronouncedList,
        proposed: Collection[int] | None = None,
        adapted: Adapted | None = None,
        biased: Hypothesis | None = None,
    ) -> list[Claim]:
        """Every place that could pass, weighed.

        Args:
            plain: the best text without list and language model.
            unbiased: the best text without list.
            proposed: entities that something else found; None: all are looked for by their sounds.
            adapted: what an adapter made of the utterance and the list, if there is one.
            biased: the best text of a search that was told of the list.
        """
        o = self._options
        sounds = tempered(phone_log_probs, o.temperature, name="phone_log_probs")
        if proposed is None:
            spots = pronounced.spot(sounds, cost=o.cost, slack=o.slack, keep=o.keep)
        else:
            spots = pronounced.spot(sounds, cost=OPEN * o.cost, slack=OPEN * o.slack, keep=o.keep, only=proposed)
        least = self.threshold(pronounced) - o.heard - o.written - HOPE - o.attended_weight * MOST_ATTENDED
        spots = [spot for spot in spots if self._by_sound(spot, pronounced) >= least]
        if not spots:
            return []
        subwords = tempered(log_probs, o.temperature)
        places = self.places(plain, spots, subwords, pronounced)
        contexts = self.places(unbiased, spots, subwords, pronounced)
        both = [spot for spot in spots if spot in places and spot in contexts]
        return [
            self._claim(spot, places[spot], contexts[spot], unbiased, pronounced, adapted, is_written(spot, biased))
            for spot in both
        ]

    def threshold(self, pronounced: PronouncedList) -> float:
        """Nats that the evidence must reach for a list of this size."""
        return threshold(self._options, pronounced.size)

    def _by_sound(self, spot: Spot, pronounced: PronouncedList) -> float:
        """The evidence that needs no look at the subwords."""
        o = self._options
        worth = o.letter_weight * pronounced.letters[spot.entity]
        paced = o.pace_weight * haste(spot, o.pace)
        return o.phone_weight * spot.fit + o.rarity_weight * spot.rarity - paced + worth

    def _claim(
        self,
        spot: Spot,
        place: Place,
        context: Place,
        unbiased: Hypothesis,
        pronounced: PronouncedList,
        adapted: Adapted | None,
        written: bool,
    ) -> Claim:
        o = self._options
        words = " ".join(word.text for word in unbiased.words[context.first : context.last])
        heard = words in pronounced.texts[spot.entity]
        attended = adapted.attended(spot.entity, spot.first, spot.last) if adapted is not None else 0.0
        evidence = (
            self._by_sound(spot, pronounced)
            + o.subword_weight * max(LEAST, place.gain)
            + o.context_weight * max(LEAST, context.gain)
            + (o.heard if heard else 0.0)
            + o.attended_weight * attended
            + (o.written if written else 0.0)
        )
        return Claim(
            spot=spot,
            letters=pronounced.letters[spot.entity],
            subwords=place.gain,
            context=context.gain,
            heard=heard,
            attended=attended,
            written=written,
            gain=evidence - self.threshold(pronounced),
        )

    def places(
        self,
        hypothesis: Hypothesis,
        spots: Sequence[Spot],
        log_probs: npt.NDArray[np.float32],
        pronounced: PronouncedList,
    ) -> dict[Spot, Place]:
        """The best way to put each entity there: which of its spellings, for which words. Not all have one."""
        found: dict[Spot, Place] = {}
        for part in stretches(hypothesis, len(log_probs)):
            here = [spot for spot in spots if part.begin <= (spot.first + spot.last) // 2 < part.end]
            if here:
                found |= self._places(hypothesis, part, here, log_probs[part.begin : part.end], pronounced)
        return found

    def _places(
        self,
        hypothesis: Hypothesis,
        part: Stretch,
        spots: Sequence[Spot],
        log_probs: npt.NDArray[np.float32],
        pronounced: PronouncedList,
    ) -> dict[Spot, Place]:
        words = hypothesis.words[part.first : part.last]
        graphs = self._graphs.text(" ".join(word.text for word in words), first=part.first == 0)
        try:
            trellis = _core.Exchange(_core.Frames(np.ascontiguousarray(log_probs), self._blank), graphs or [])
        except ValueError:  # the words are not possible here, as where the hypothesis is of other posteriors
            return {}
        tried: list[tuple[int, str, int, int]] = []
        swaps = []
        ranges = word_ranges(hypothesis, part, spots)
        made: dict[tuple[str, bool], list[_core.LabelGraph] | None] = {}
        for number, (spot, some) in enumerate(zip(spots, ranges, strict=True)):
            begin = max(0, spot.first - MARGIN - part.begin)
            end = min(len(log_probs), spot.last + 1 + MARGIN - part.begin)
            if begin >= end:
                continue
            for first, last in some:
                leads = part.first + first == 0  # the first word of all needs no separator
                for text in pronounced.texts[spot.entity]:
                    if (text, leads) not in made:
                        made[text, leads] = self._graphs.text(text, first=leads)
                    if (graph := made[text, leads]) is not None:
                        tried.append((number, text, first, last))
                        swaps.append((first, last, graph, begin, end))
        best: dict[int, tuple[float, str, int, int]] = {}
        was = trellis.score
        for (number, text, first, last), score in zip(tried, trellis.exchanged(swaps), strict=True):
            if score - was > (best[number][0] if number in best else -math.inf):
                best[number] = (score - was, text, first, last)
        return {
            spots[number]: Place(text, part.first + first, part.first + last, gain)
            for number, (gain, text, first, last) in best.items()
        }


def threshold(options: EvidenceOptions, entities: int) -> float:
    """Nats that the evidence must reach for a list of so many."""
    return options.threshold + options.growth * math.log(max(1, entities))


def haste(spot: Spot, pace: float) -> float:
    """How far a place is from the usual pace: the square of the logarithm, HASTE at the most."""
    away = math.log((spot.last + 1 - spot.first) / (spot.phones * pace))
    return min(HASTE, away * away)


def is_written(spot: Spot, biased: Hypothesis | None) -> bool:
    """Whether a word of the entity is in at least half of the place, or has half of its own frames there."""
    if biased is None:
        return False
    own = [word for word in biased.words if word.entity == spot.entity]
    common = ((word, min(word.end, spot.last + 1) - max(word.start, spot.first)) for word in own)
    return any(2 * both >= min(spot.last + 1 - spot.first, word.end - word.start) for word, both in common)


def word_ranges(hypothesis: Hypothesis, part: Stretch, spots: Sequence[Spot]) -> list[list[tuple[int, int]]]:
    """For each spot, words (counted from the stretch's first) that it may stand for; none, where both are equal.

    Its edges are looked for among the word boundaries within MARGIN frames, and the nearest one.
    """
    words = hypothesis.words[part.first : part.last]
    ends = np.array([-math.inf, *(word.end for word in words)])
    starts = np.array([*(word.start for word in words), math.inf])
    frames = sorted({frame for spot in spots for frame in (spot.first, spot.last + 1)})
    at = np.array(frames, float)[:, None]
    away = np.maximum(0.0, np.maximum(ends - at, at - starts))  # [frames, boundaries]
    order = np.argsort(away, axis=1, kind="stable")[:, :EDGES]
    close = np.take_along_axis(away, order, 1) <= MARGIN
    close[:, 0] = True
    near = {f: [n for n, is_close in zip(*row, strict=True) if is_close]
            for f, *row in zip(frames, order.tolist(), close.tolist(), strict=True)}  # fmt: skip
    return [[(i, j) for i in near[one.first] for j in near[one.last + 1] if i <= j] for one in spots]
