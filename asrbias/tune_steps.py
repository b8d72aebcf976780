"""Joint decoding in steps, of which each is done once for the options that it reads.

    steps = Steps(corpus, encoded, decoder=..., adapter=..., lm=True, frame=0.04)
    steps.texts(options, case)              # what JointDecoder writes with these options, display form
    steps.claims(options, case)             # what the soft rule weighs

A tuning tries many options that differ in one weight. What a step gives is kept by all that it depends on: another
weight of the language model is another search, another weight of evidence a sum. What JointDecoder does, and in which
order, is said in joint.py; `whole` asks it itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias.adapting import Adapted
from asrbias.entities import EntityList
from asrbias.evidence import Claim, Utterance, is_written
from asrbias.evidence_options import EvidenceOptions
from asrbias.hypothesis import Hypothesis
from asrbias.joint_options import EXACT, JointOptions
from asrbias.lookup import accepted
from asrbias.marking import marked
from asrbias.techniques import Setup, uses_list
from asrbias.transcript import build_transcript
from asrbias.tune_evidence import ATTENDED, Weighed, inputs, told, weigh
from asrbias.tune_kept import blocks, key_of
from asrbias.tune_options import evidence, only_told
from asrbias.tune_searches import Case as Case
from asrbias.tune_searches import Searches


@dataclass(frozen=True, eq=False)
class Claims:
    """What the soft rule weighs in an utterance, `written` left out: it changes with every search."""

    claims: tuple[Claim, ...]
    size: int  # of the list
    inputs: npt.NDArray[np.float64]  # [claims, features], as tune_evidence.inputs


class Steps(Searches):
    """All steps; `Searches` says what they are made from."""

    def texts(self, o: JointOptions, case: Case | None, only: Sequence[int] | None = None) -> list[str]:
        """What each utterance (of `only`) is heard as; case None: without a list."""
        wanted = self.all if only is None else only
        if case is None or not uses_list(Setup(options=o, lm=self.lm)):
            return [self._shown(n, best, None) for n, best in zip(wanted, self.best(o, None, wanted), strict=True)]
        weights = evidence(o)
        if weights is None:
            return self._kept["texts"].each(
                ("texts", case, key_of(o)), wanted, lambda some: self._by_search(o, case, some)
            )
        return list(self._by_evidence(o, weights, case, wanted))

    def whole(self, o: JointOptions, case: Case | None) -> Iterator[str]:
        """The same by JointDecoder itself, with no step left out but the adapter's."""
        decoder = self._decoder(Setup(options=o, lm=self.lm))
        for block in blocks(self.all):
            lists = [one.entities for one in self.lists(case, block, o)] if case is not None else [None] * len(block)
            some = [self.encoded[n] for n in block]
            adapted = self.adapted(o, case, block) if case is not None else None
            log_probs, phones = [one.log_probs for one in some], [one.phones for one in some]
            found = decoder.decode_batch(log_probs, phones, lists, threads=self.threads, adapted=adapted)
            for nbest, listed, one in zip(found, lists, some, strict=True):
                yield build_transcript(nbest, listed, self._frame, one.seconds, 1).text

    def claims(self, o: JointOptions, case: Case, only: Sequence[int] | None = None) -> list[Weighed]:
        """What the soft rule weighs where entities are looked for by their sounds, of each utterance."""
        wanted = self.all if only is None else only
        base = self._claims(o, case, wanted)
        return [
            Weighed(one.claims, one.size, told(one.inputs, hits))
            for one, hits in zip(base, self._written(o, case, wanted, base, ()), strict=True)
        ]

    def _by_search(self, o: JointOptions, case: Case, wanted: list[int]) -> Iterator[str]:
        """Where nothing is weighed."""
        lookup = self._lookup(o) if o.lookup == EXACT else None
        best, lists = self.best(o, case, wanted), self.lists(case, wanted, o)
        for n, found, listed in zip(wanted, best, lists, strict=True):
            if lookup is not None and listed.pronounced is not None:
                one = self.encoded[n]
                found = lookup(found, one.log_probs, one.phones, listed.pronounced)
                found = marked(found, listed.pronounced) if o.adapter is not None else found
            yield self._shown(n, found, listed.entities)

    def _by_evidence(
        self, o: JointOptions, weights: EvidenceOptions, case: Case, wanted: Sequence[int]
    ) -> Iterator[str]:
        """What is weighed, put into the best text."""
        aside = only_told(o)
        base = self.best(o, None if aside else case, wanted)
        found = self._claims(o, case, wanted) if o.lookup is not None else [None] * len(wanted)
        more = self._proposed(o, case, wanted) if aside else [None] * len(wanted)
        both = [_joined(one, other) for one, other in zip(found, more, strict=True)]
        written = self._written(o, case, wanted, both, ("more",) if aside else ())
        key = case, self._search_key(o, None if aside else case), *map(key_of, (o.rescore, self._places(o), o.variants))
        kept = self._kept["texts"].each((*key, o.adapter is not None), wanted, lambda some: ({} for _ in some))
        for n, best, one, hits, texts in zip(wanted, base, both, written, kept, strict=True):
            gains = weigh(told(one.inputs, hits), weights, one.size)
            passed = [replace(one.claims[k], gain=float(gains[k])) for k in np.flatnonzero(gains >= 0)]
            chosen = sorted(accepted(passed), key=lambda claim: -claim.gain)
            spots = tuple(claim.spot for claim in chosen)
            if spots not in texts:
                texts[spots] = self._put(o, case, n, best, chosen)
            yield texts[spots]

    def _put(self, o: JointOptions, case: Case, n: int, best: Hypothesis, chosen: Sequence[Claim]) -> str:
        listed = self.lists(case, [n], o)[0]
        assert listed.pronounced is not None
        best = self._lookup(o).put(best, chosen, self.encoded[n].log_probs, listed.pronounced)
        if o.adapter is not None:
            best = marked(best, listed.pronounced)
        return self._shown(n, best, listed.entities)

    def _claims(self, o: JointOptions, case: Case, wanted: Sequence[int]) -> list[Claims]:
        """Of the entities that are found by their sounds: of an adapter's settings only the attention depends."""

        def make(some: list[int]) -> Iterator[Claims]:
            for block in blocks(some):
                yield from self._weighed(o, case, block, [None] * len(block))

        key = self._claim_key(o, case)
        found: list[Claims] = self._kept["claims"].each(key[:-1], wanted, make)
        if o.adapter is None:
            return found
        by_place = dict(zip(wanted, found, strict=True))

        def attend(some: list[int]) -> Iterator[Claims]:
            for n, adapted in zip(some, self.adapted(o, case, some), strict=True):
                yield _attended(by_place[n], adapted)

        return self._kept["attended"].each(key, wanted, attend)

    def _proposed(self, o: JointOptions, case: Case, wanted: Sequence[int]) -> list[Claims]:
        """Of the entities that the search's n-best hold."""
        nbests = self.search(o, case, wanted)
        names = [frozenset(w.entity for h in nbest for w in h.words if w.entity is not None) for nbest in nbests]
        key = ("proposed", *self._claim_key(o, case))
        kept = self._kept["claims"].each(key, wanted, lambda some: ({} for _ in some))
        for n, proposed, known, adapted in zip(wanted, names, kept, self.adapted(o, case, wanted), strict=True):
            if proposed not in known:
                known[proposed] = _attended(self._weighed(o, case, [n], [proposed])[0], adapted)
        return [known[proposed] for known, proposed in zip(kept, names, strict=True)]

    def _weighed(
        self, o: JointOptions, case: Case, block: Sequence[int], proposed: Sequence[frozenset[int] | None]
    ) -> list[Claims]:
        lookup, found = self._lookup(o), []
        for n, plain, nbest, names in zip(
            block, self.plain(o, block), self.search(o, None, block), proposed, strict=True
        ):
            one, listed = self.encoded[n], self.lists(case, [n], o)[0].pronounced
            assert listed is not None
            some: list[Claim] = []
            if names is None or names:
                some = lookup.claims(Utterance(plain, nbest[0], one.log_probs, one.phones, listed), names)
            found.append(Claims(tuple(some), listed.size, inputs(some, listed.size)))
        return found

    def _written(
        self, o: JointOptions, case: Case, wanted: Sequence[int], found: Sequence[Claims], kind: tuple[str, ...]
    ) -> list[npt.NDArray[np.bool_]]:
        """Which claims a search that was told of the list writes there: none, where it was not told by an adapter."""
        if o.adapter is None:
            return [np.zeros(len(one.claims), bool) for one in found]
        nbests = self.search(o, case, wanted)
        by_place = dict(zip(wanted, zip(found, nbests, strict=True), strict=True))

        def make(some: list[int]) -> Iterator[npt.NDArray[np.bool_]]:
            for one, nbest in (by_place[n] for n in some):
                names = {word.entity for word in nbest[0].words} - {None}
                yield np.array([c.spot.entity in names and is_written(c.spot, nbest[0]) for c in one.claims], bool)

        key = self._search_key(o, case), *self._claim_key(o, case), *kind, o.lookup is None
        return self._kept["written"].each(key, wanted, make)

    def _claim_key(self, o: JointOptions, case: Case) -> tuple[Any, ...]:
        return case, self._search_key(o, None), key_of(self._places(o)), key_of(o.variants), key_of(o.adapter)

    def _shown(self, n: int, best: Hypothesis, listed: EntityList | None) -> str:
        return build_transcript([best], listed, self._frame, self.encoded[n].seconds, 1).text


def _attended(one: Claims, adapted: Adapted | None) -> Claims:
    """With how much an adapter attends to each claim."""
    if adapted is None or not one.claims:
        return one
    made = one.inputs.copy()
    places = (claim.spot for claim in one.claims)
    made[:, ATTENDED] = [adapted.attended(spot.entity, spot.first, spot.last) for spot in places]
    return replace(one, inputs=made)


def _joined(one: Claims | None, more: Claims | None) -> Claims:
    """The claims of both, of the same place once."""
    if one is None or more is None:
        return one or more or Claims((), 1, inputs([], 1))
    known = {claim.spot for claim in one.claims}
    new = [k for k, claim in enumerate(more.claims) if claim.spot not in known]
    return Claims((*one.claims, *(more.claims[k] for k in new)), one.size, np.vstack([one.inputs, more.inputs[new]]))
