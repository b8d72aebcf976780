"""Pronunciation lookup: words of a hypothesis that sound like a listed entity become that entity.

    lookup = Lookup(decoder.spelling, blank=decoder.blank)
    best = lookup(hypothesis, log_probs, phone_log_probs, lookup.compile(entities))

Two rules (Dingliwal et al. 2022, "pronunciation lookup"; the soft rule is ours):

"exact": the words are aligned to the phone posteriors. Where the best phone of each frame, from a word to one up to
MOST_WORDS further on, spells out a pronunciation of a listed entity, the entity replaces these words.

"soft": where an entity may have been said is found by its sounds, whatever words the hypothesis has there, and what
speaks for it is weighed (evidence.py). Those that pass a threshold, which grows with the list, replace the words there:
those without which the rest is most probable.

Either way the hypothesis' score rises by what the evidence has above the threshold (nothing by the exact rule), in its
`bias`; `acoustic` is that of the new tokens. Hypotheses of a search without a list serve as well as of one with it.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias import _core
from asrbias.alignment import LogProbsError, as_matrix
from asrbias.entities import Entity, EntityList
from asrbias.evidence import Claim, Evidence, Utterance
from asrbias.evidence_options import EvidenceOptions
from asrbias.exchange import MARGIN, Exchange, exchange, without_overlaps
from asrbias.hypothesis import Hypothesis
from asrbias.phones import PHONES
from asrbias.phrases import Spelling
from asrbias.pronunciations import Labels, PronouncedList, Spot, Spots
from asrbias.stretches import stretches
from asrbias.variants import VariantOptions, with_variants
from asrbias.wordgraphs import PhoneGraphs, SubwordGraphs, tempered

Matrix = npt.NDArray[np.float32]
RULES = ("soft", "exact")
MOST_WORDS = 4  # words that one entity may replace by the exact rule
KEPT_LISTS = 32  # compiled lists that are kept


class Lookup:
    """Safe to use from several threads.

    Args:
        spelling: of the decoder whose hypotheses are looked at.
        blank: position of the decoder's blank.
        phones: the phone head's labels after its blank, which is 0.
        rule: "soft" or "exact".
        options: of the soft rule.
        variants: other spellings and pronunciations that are looked for (default: none).
    """

    def __init__(
        self,
        spelling: Spelling,
        *,
        blank: int = 0,
        phones: Sequence[str] = PHONES,
        rule: str = "soft",
        options: EvidenceOptions | None = None,
        variants: VariantOptions | None = None,
    ) -> None:
        if rule not in RULES:
            raise ValueError(f"The rule {rule!r} is not known; choose one of {', '.join(RULES)}.")
        self.spelling, self.blank, self.rule = spelling, blank, rule
        self.options = options or EvidenceOptions()
        self.variants = variants or VariantOptions(spellings=0, pronunciations=0)
        self.phones = PhoneGraphs(phones)
        self.subwords = SubwordGraphs(spelling)
        self._size = len(phones) + 1
        self._evidence = Evidence(self.subwords, blank, self.options, phones)
        self._kept: OrderedDict[tuple[str, EntityList], PronouncedList] = OrderedDict()
        self._lock = threading.Lock()

    def compile(self, entities: EntityList | Iterable[str | Entity]) -> PronouncedList:
        """The list by its sounds; the last 32 lists are kept.

        Raises EntityError, EntityTypeError for a bad list; G2PUnavailable where a word needs g2p_en and it is missing.
        """
        listed = EntityList.coerce(entities)
        assert listed is not None
        key = (listed.digest, listed)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        table = with_variants(listed.forms(self.spelling.charset), self.variants.spellings)
        made = PronouncedList.of(
            listed, table, self.phones, variants=self.variants.pronunciations, reward=self.options.rarity_weight
        )
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT_LISTS:
                self._kept.popitem(last=False)
        return made

    def __call__(
        self,
        hypothesis: Hypothesis,
        log_probs: Any,
        phone_log_probs: Any,
        pronounced: PronouncedList,
        plain: Hypothesis | None = None,
    ) -> Hypothesis:
        """The hypothesis with listed entities where their sounds are; itself where there are none.

        Args:
            hypothesis: of the decoder; its frames are those of log_probs. By the soft rule, of a search without a list.
            log_probs: [T, V] natural logarithms. phone_log_probs: [T, P], the same frames.
            plain: for the soft rule, the best text without a language model (default: hypothesis).
        Raises:
            LogProbsError, LogProbsTypeError: one of the two is no such matrix, or they differ in T.
        """
        if self.rule == "exact":
            subwords, sounds = self._matrices(log_probs, phone_log_probs)
            if not len(pronounced) or not len(sounds):
                return hypothesis
            with _named():
                return self._exchanged(hypothesis, self._exact(hypothesis, sounds, pronounced), subwords)
        claims = self.passing(
            Utterance(plain or hypothesis, hypothesis, log_probs, phone_log_probs, pronounced), [None]
        )
        return self.put(hypothesis, accepted(claims), log_probs, pronounced)

    def claims(self, read: Utterance, proposed: Collection[int] | None = None) -> list[Claim]:
        """What the soft rule weighs in an utterance; `Evidence.claims` says more. Raises as a call does."""
        read = self._checked(read)
        if not len(read.pronounced) or not len(read.log_probs):
            return []
        with _named():
            return self._evidence.claims(read, proposed)

    def passing(self, read: Utterance, searches: Sequence[Collection[int] | None]) -> list[Claim]:
        """Those claims that pass, of several searches at once; `Evidence.passing` says more. Raises as a call does."""
        read = self._checked(read)
        if not len(read.pronounced) or not len(read.log_probs):
            return []
        with _named():
            return self._evidence.passing(read, searches)

    def _checked(self, read: Utterance) -> Utterance:
        subwords, sounds = self._matrices(read.log_probs, read.phone_log_probs)
        return replace(read, log_probs=subwords, phone_log_probs=sounds)

    def put(
        self, hypothesis: Hypothesis, claims: Sequence[Claim], log_probs: Any, pronounced: PronouncedList
    ) -> Hypothesis:
        """The hypothesis with the entities of these claims, which do not overlap, where it has not got them already."""
        missing = {claim.spot: claim for claim in claims if not _is_there(hypothesis, claim.spot)}
        if not missing:
            return hypothesis
        subwords = as_matrix(log_probs, len(self.spelling.shown))
        sure = tempered(subwords, self.options.temperature)
        with _named():
            places = self._evidence.places(hypothesis, Spots.of(list(missing)), sure, pronounced)
            exchanges = [
                Exchange(
                    first=first,
                    last=last,
                    text=pronounced.texts[spot.entity][0],
                    entity=spot.entity,
                    begin=spot.first,
                    end=spot.last + 1,
                    gain=missing[spot].gain,
                )
                for spot, first, last in zip(missing, places.first.tolist(), places.last.tolist(), strict=True)
            ]
            exchanges = [one for one, form in zip(exchanges, places.form, strict=True) if form >= 0]
            exchanges.sort(key=lambda one: (-one.gain, one.first, one.text))
            return self._exchanged(hypothesis, without_overlaps(exchanges), subwords)

    def _matrices(self, log_probs: Any, phone_log_probs: Any) -> tuple[Matrix, Matrix]:
        subwords = as_matrix(log_probs, len(self.spelling.shown))
        sounds = as_matrix(phone_log_probs, self._size, "phone_log_probs")
        if len(subwords) != len(sounds):
            raise LogProbsError(
                f"log_probs has {len(subwords)} frames and phone_log_probs {len(sounds)}; both must be of one audio."
            )
        return subwords, sounds

    def _exchanged(self, hypothesis: Hypothesis, chosen: Sequence[Exchange], subwords: Matrix) -> Hypothesis:
        if not chosen:
            return hypothesis
        return exchange(hypothesis, chosen, subwords, self.spelling, self.subwords, self.blank)

    def _exact(
        self, hypothesis: Hypothesis, sounds: npt.NDArray[np.float32], pronounced: PronouncedList
    ) -> list[Exchange]:
        """What the exact rule replaces; of runs that overlap the longest, then the first."""
        found: list[Exchange] = []
        for part in stretches(hypothesis, len(sounds)):
            words = hypothesis.words[part.first : part.last]
            graphs = self.phones.words(word.text for word in words)
            frames = _core.Frames(sounds[part.begin : part.end], 0)
            try:
                first, last, _, _ = _core.best_way(frames, [graphs[word.text] for word in words])
            except ValueError:  # these words' phones do not fit into the frames
                continue
            bounds = _bounds(first, last, part.end - part.begin)
            for i, j in itertools.combinations(range(len(words) + 1), 2):
                if j - i > MOST_WORDS:
                    continue
                begin, end = part.begin + bounds[i], part.begin + bounds[j]
                entity = pronounced.exactly(_greedy(sounds[begin:end]))
                text = "" if entity is None else pronounced.texts[entity][0]
                if entity is not None and text != " ".join(word.text for word in words[i:j]):
                    where = {"first": part.first + i, "last": part.first + j, "begin": begin, "end": end}
                    found.append(Exchange(text=text, entity=entity, gain=0.0, **where))
        return without_overlaps(sorted(found, key=lambda one: (one.begin - one.end, one.first)))


def accepted(claims: Iterable[Claim]) -> list[Claim]:
    """Those that pass; of those that overlap the one with the most evidence."""
    kept: list[Claim] = []
    for claim in sorted(claims, key=lambda one: (-one.gain, one.spot.first, one.spot.entity)):
        others = (one.spot for one in kept)
        if claim.gain >= 0 and not any(claim.spot.first <= s.last and s.first <= claim.spot.last for s in others):
            kept.append(claim)
    return sorted(kept, key=lambda one: one.spot.first)


def _is_there(hypothesis: Hypothesis, spot: Spot) -> bool:
    """Whether the hypothesis has the entity in this place already."""
    return any(
        word.entity == spot.entity and word.start <= spot.last + MARGIN and spot.first - MARGIN < word.end
        for word in hypothesis.words
    )


@contextmanager
def _named() -> Iterator[None]:
    """What the native core finds wrong with a matrix, as LogProbsError."""
    try:
        yield
    except LogProbsError:
        raise
    except ValueError as error:
        if str(error).startswith("log_probs"):
            raise LogProbsError(f"{error}.") from None
        raise


def _bounds(first: Sequence[int], last: Sequence[int], frames: int) -> list[int]:
    """Frames at which words begin, halfway between the phones of two words; and the end. For W words W + 1 frames."""
    bounds, before = [0], -1
    for begin, end in zip(first, last, strict=True):
        if begin < 0:  # a word without phones
            bounds.append(bounds[-1])
            continue
        bounds[-1] = max(bounds[-1], (before + 1 + begin) // 2) if before >= 0 else 0
        before = end
        bounds.append(end + 1)
    bounds[-1] = frames
    return bounds


def _greedy(sounds: npt.NDArray[np.float32]) -> Labels:
    """The best label of each frame, repetitions and blanks left out."""
    if not len(sounds):
        return ()
    best = sounds.argmax(axis=1)
    fresh = np.concatenate([[True], best[1:] != best[:-1]])
    return tuple(best[fresh & (best != 0)].tolist())
