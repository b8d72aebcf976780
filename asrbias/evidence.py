"""What speaks for a listed entity in a place of an utterance: one rule for all that looks for entities there.

    evidence = phone_weight * fit          its phones' best path less the best labels of the same frames (tempered)
             + rarity_weight * rarity      -log of its phones' shares: what chance does not make
             - pace_weight * (log(frames a phone / pace))^2    said neither too fast nor too slowly; HASTE at most
             + letter_weight * letters * weight    what being listed is worth, as the beam search's bonus
             - rival_weight * rival        how well a frequent word would fit there instead (rivals.py)
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

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias.adapting import LEAST as SHARE
from asrbias.adapting import Adapted
from asrbias.evidence_options import EvidenceOptions, threshold
from asrbias.hypothesis import Hypothesis
from asrbias.phones import PHONES
from asrbias.placing import Places, find_places, forms_of
from asrbias.pronunciations import PronouncedList, Spot, Spots
from asrbias.rivals import NONE, rivals_of
from asrbias.wordgraphs import SubwordGraphs, tempered

Floats = npt.NDArray[np.float64]
# Beyond these it is all the same: else what is certainly wrong decides how much a little doubt counts (docs/log.md).
LEAST = -8.0  # nats that a text may be less probable
HASTE = 1.0  # of the square of log(frames a phone / pace)
HOPE = 4.0  # nats that subwords may add to what the phones say, at the most
MOST_ATTENDED = 9.3  # nats of attention, at the most
ROUNDING = 1e-3  # nats by which a sum may be wrong that is made in another order
OPEN = 2.0  # times `cost` and `slack` that a proposed entity may fall short


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An entity in a place, with what speaks for it."""

    spot: Spot
    letters: float  # of its longest matching form, times its weight
    rival: float  # nats: the best frequent word in its place (rivals.py)
    subwords: float  # nats, against the text without language model
    context: float  # nats, against the text with it
    heard: bool  # whether that text has it there
    attended: float  # nats: the adapter's attention to it there; 0 without an adapter
    written: bool = False  # whether a search that was told of the list writes it there
    gain: float  # the evidence above the threshold, nats


@dataclass(frozen=True, eq=False)
class Utterance:
    """What evidence is drawn from: T frames, what was heard in them, and the list."""

    plain: Hypothesis  # the best text without list and language model
    unbiased: Hypothesis  # the best text without list
    log_probs: Any  # [T, V] natural logarithms
    phone_log_probs: Any  # [T, P] natural logarithms, blank 0
    pronounced: PronouncedList
    adapted: Adapted | None = None  # what an adapter made of it and the list
    biased: Hypothesis | None = None  # the best text of a search that was told of the list


class Evidence:
    """Weighs the places that a list's sounds have in an utterance.

    Args:
        phones: the phone head's labels after its blank, which is 0.
    """

    def __init__(
        self, graphs: SubwordGraphs, blank: int, options: EvidenceOptions, phones: Sequence[str] = PHONES
    ) -> None:
        self._graphs, self._blank, self._options, self._phones = graphs, blank, options, tuple(phones)

    def claims(self, read: Utterance, proposed: Collection[int] | None = None) -> list[Claim]:
        """Every place that could pass, weighed.

        Args:
            proposed: entities that something else found; None: all are looked for by their sounds.
        """
        return self._weighed(read, *self._spots(read, [proposed], with_rivals=True), passing=False)

    def passing(self, read: Utterance, searches: Sequence[Collection[int] | None]) -> list[Claim]:
        """Of the claims of several searches, each with its `proposed` (see `claims`), those that pass; each once."""
        return self._weighed(read, *self._spots(read, searches), passing=True)

    def _spots(
        self, read: Utterance, searches: Iterable[Collection[int] | None], with_rivals: bool = False
    ) -> tuple[Spots, Floats, Floats]:
        """Where entities may have been said and could pass, what their sounds say, and their rivals.

        Args:
            with_rivals: whether these are looked for though they may weigh nothing.
        """
        o, pronounced = self._options, read.pronounced
        sounds = tempered(read.phone_log_probs, o.temperature, name="phone_log_probs")
        found = Spots.of([])
        for proposed in searches:
            open_ = 1.0 if proposed is None else OPEN
            some = pronounced.spot(sounds, cost=open_ * o.cost, slack=open_ * o.slack, keep=o.keep, only=proposed)
            found = found.joined(some) if len(found) else some
        least = self.threshold(pronounced) - o.heard - o.written - HOPE - o.attended_weight * MOST_ATTENDED
        by_sound = self._by_sound(found, pronounced)
        could = by_sound - o.rival_weight * NONE >= least
        found, by_sound = found.chosen(could), by_sound[could]
        if not with_rivals and not o.rival_weight:
            return found, by_sound, np.full(len(found), NONE)
        rival = rivals_of(self._phones).against(sounds, found, pronounced.texts)
        by_sound = by_sound - o.rival_weight * rival
        could = by_sound >= least
        return found.chosen(could), by_sound[could], rival[could]

    def _weighed(self, read: Utterance, spots: Spots, by_sound: Floats, rivals: Floats, passing: bool) -> list[Claim]:
        if not len(spots):
            return []
        subwords = tempered(read.log_probs, self._options.temperature)
        forms = forms_of(spots, read.pronounced, self._graphs)
        places, contexts = (
            find_places(text, spots, forms, subwords, self._graphs, self._blank) for text in (read.plain, read.unbiased)
        )
        there = (places.form >= 0) & (contexts.form >= 0)
        if passing:
            most = self._most(read, spots, by_sound, places, contexts)
            there &= most >= self.threshold(read.pronounced) - ROUNDING
        claims = (
            self._claim(read, n, spots[n], float(rivals[n]), places, contexts) for n in np.flatnonzero(there).tolist()
        )
        return [claim for claim in claims if not passing or claim.gain >= 0]

    def threshold(self, pronounced: PronouncedList) -> float:
        """Nats that the evidence must reach for a list of this size."""
        return threshold(self._options, pronounced.size)

    def _by_sound(self, spots: Spots, pronounced: PronouncedList) -> Floats:
        """[S] the evidence that needs no look at the subwords."""
        o = self._options
        paced = o.pace_weight * haste(spots, o.pace)
        worth = o.letter_weight * pronounced.worth[spots.entity]
        found: Floats = o.phone_weight * spots.fit + o.rarity_weight * spots.rarity - paced + worth
        return found

    def _most(self, read: Utterance, spots: Spots, by_sound: Floats, places: Places, contexts: Places) -> Floats:
        """[S] what the evidence is at the most: what takes long to find out is taken as said."""
        o, biased, adapted = self._options, read.biased, read.adapted
        texts = o.subword_weight * np.maximum(LEAST, places.gain) + o.context_weight * np.maximum(LEAST, contexts.gain)
        most: Floats = by_sound + texts + o.heard
        if biased is not None:
            written = {word.entity for word in biased.words if word.entity is not None}
            most += o.written * np.array([entity in written for entity in spots.entity.tolist()])
        if adapted is not None and o.attended_weight:
            most += o.attended_weight * most_attended(adapted, spots.entity)
        return most

    def _claim(self, read: Utterance, number: int, spot: Spot, rival: float, places: Places, contexts: Places) -> Claim:
        o, pronounced, adapted = self._options, read.pronounced, read.adapted
        subwords, context = float(places.gain[number]), float(contexts.gain[number])
        words = " ".join(word.text for word in read.unbiased.words[contexts.first[number] : contexts.last[number]])
        heard = words in pronounced.texts[spot.entity]
        written = is_written(spot, read.biased)
        attended = adapted.attended(spot.entity, spot.first, spot.last) if adapted is not None else 0.0
        evidence = (
            o.phone_weight * spot.fit
            + o.rarity_weight * spot.rarity
            - o.pace_weight * float(haste(spot, o.pace))
            + o.letter_weight * pronounced.letters[spot.entity]
            - o.rival_weight * rival
            + o.subword_weight * max(LEAST, subwords)
            + o.context_weight * max(LEAST, context)
            + (o.heard if heard else 0.0)
            + o.attended_weight * attended
            + (o.written if written else 0.0)
        )
        return Claim(
            spot=spot,
            letters=pronounced.letters[spot.entity],
            rival=rival,
            subwords=subwords,
            context=context,
            heard=heard,
            attended=attended,
            written=written,
            gain=evidence - self.threshold(pronounced),
        )

    def places(
        self,
        hypothesis: Hypothesis,
        spots: Spots,
        log_probs: npt.NDArray[np.float32],
        pronounced: PronouncedList,
    ) -> Places:
        """The best way to put each entity there. log_probs: [T, V], tempered."""
        forms = forms_of(spots, pronounced, self._graphs)
        return find_places(hypothesis, spots, forms, log_probs, self._graphs, self._blank)


def most_attended(adapted: Adapted, entity: npt.NDArray[np.int32]) -> Floats:
    """[S] nats that these entities' attention is at the most, anywhere in the utterance."""
    highest = np.log((adapted.attention.max(axis=0, initial=0.0) + SHARE) / SHARE).tolist()
    columns = dict(zip(adapted.entities, highest[1:], strict=True))
    return np.array([columns.get(one, 0.0) for one in entity.tolist()], np.float64)


def haste(spots: Spot | Spots, pace: float) -> Any:
    """How far a place, or each of many, is from the usual pace: the square of the logarithm, HASTE at the most."""
    away = np.log((spots.last + 1 - spots.first) / (spots.phones * pace))
    return np.minimum(HASTE, away * away)


def is_written(spot: Spot, biased: Hypothesis | None) -> bool:
    """Whether a word of the entity is in at least half of the place, or has half of its own frames there."""
    if biased is None:
        return False
    own = [word for word in biased.words if word.entity == spot.entity]
    common = ((word, min(word.end, spot.last + 1) - max(word.start, spot.first)) for word in own)
    return any(2 * both >= min(spot.last + 1 - spot.first, word.end - word.start) for word, both in common)
