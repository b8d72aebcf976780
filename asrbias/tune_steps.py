"""Joint decoding in steps, of which each is done once for the options that it reads.

    steps = Steps(corpus, encoded, decoder=..., adapter=..., lm=True, frame=0.04)
    steps.texts(options, case)              # what JointDecoder writes with these options, display form
    steps.claims(options, case)             # what the soft rule weighs

A tuning tries many options that differ in one weight. What a step gives is kept by all that it depends on: another
weight of the language model is another search, another weight of evidence a sum. What JointDecoder does, and in which
order, is said in joint.py; `whole` asks it itself.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from asrbias.ablation_runs import BLOCK, Condition, Corpus, Encoded
from asrbias.decoder import Decoder
from asrbias.entities import EntityList
from asrbias.evidence import Claim, EvidenceOptions, is_written
from asrbias.hypothesis import Hypothesis
from asrbias.joint import JointDecoder
from asrbias.joint_options import EXACT, JointOptions
from asrbias.lookup import Lookup, accepted
from asrbias.marking import marked
from asrbias.phrases import Phrases
from asrbias.pronunciations import PronouncedList
from asrbias.rescoring import rescore
from asrbias.techniques import Setup, uses_list
from asrbias.transcript import build_transcript
from asrbias.tune_evidence import Weighed, inputs, told, weigh
from asrbias.tune_options import evidence, only_told
from asrbias.wordgraphs import PhoneGraphs

Made = TypeVar("Made")
KEPT = 6_000  # utterances for which something is kept, of each step
KEPT_LISTS = 2_000  # compiled lists: a megabyte each, of 1,000 phrases


@dataclass(frozen=True)
class Case:
    """Which list each utterance gets: a condition, and the corpus whose distractors it takes."""

    corpus: Corpus
    condition: Condition

    def __str__(self) -> str:
        return str(self.condition)


@dataclass(frozen=True, eq=False)
class Listed:
    """An utterance's list as the steps read it."""

    entities: EntityList
    phrases: Phrases
    pronounced: PronouncedList | None


@dataclass(frozen=True, eq=False)
class Claims:
    """What the soft rule weighs in an utterance, `written` left out: it changes with every search."""

    claims: tuple[Claim, ...]
    size: int  # of the list
    inputs: npt.NDArray[np.float64]  # [claims, features], as tune_evidence.inputs


class Kept:
    """Results by key and utterance; what was asked for longest ago goes first."""

    def __init__(self, most: int = KEPT) -> None:
        self._most, self._rows = most, OrderedDict[Any, dict[int, Any]]()

    def each(self, key: Any, wanted: Sequence[int], make: Callable[[list[int]], Iterable[Any]]) -> list[Any]:
        """For each utterance wanted; `make` gives those that are missing, in order."""
        rows = self._rows.setdefault(key, {})
        self._rows.move_to_end(key)
        missing = [n for n in wanted if n not in rows]
        for n, made in zip(missing, make(missing) if missing else (), strict=True):
            rows[n] = made
        while len(self._rows) > 1 and sum(map(len, self._rows.values())) > self._most:
            self._rows.popitem(last=False)
        return [rows[n] for n in wanted]


class Steps:
    """The steps over one corpus.

    Args:
        encoded: its recordings.
        decoder, adapter: as of ablation_runs.Runs.
        lm: whether a decoder gets the language model.
        frame: seconds.
        reward: nats per nat of rarity, by which the places of entities are put in order before they are weighed.
    """

    def __init__(
        self,
        corpus: Corpus,
        encoded: Sequence[Encoded],
        *,
        decoder: Callable[[Setup], JointDecoder],
        adapter: Callable[[Setup], Callable[[Encoded, EntityList], Any]] | None = None,
        lm: bool,
        frame: float,
        reward: float = EvidenceOptions().rarity_weight,
        threads: int | None = 1,
    ) -> None:
        self.corpus, self.encoded, self.lm, self.threads, self.reward = corpus, encoded, lm, threads, reward
        self._decoder, self._adapter, self._frame = decoder, adapter, frame
        self._phones = PhoneGraphs()
        self._searches = _Few[JointDecoder]()
        self._lookups = _Few[Lookup]()
        self._kept = {name: Kept() for name in ("plain", "search", "best", "adapted", "claims", "written", "texts")}
        self._lists = Kept(KEPT_LISTS)

    @property
    def all(self) -> range:
        return range(len(self.encoded))

    # --- what decoding gives ---

    def texts(self, o: JointOptions, case: Case | None, only: Sequence[int] | None = None) -> list[str]:
        """What each utterance (of `only`) is heard as; case None: without a list."""
        wanted = self.all if only is None else only
        if case is None or not uses_list(Setup(options=o, lm=self.lm)):
            return [self._shown(n, best, None) for n, best in zip(wanted, self.best(o, None, wanted), strict=True)]
        weights = evidence(o)
        if weights is None:
            return self._kept["texts"].each(
                ("texts", case, _key(o)), wanted, lambda some: self._by_search(o, case, some)
            )
        return list(self._by_evidence(o, weights, case, wanted))

    def whole(self, o: JointOptions, case: Case | None) -> Iterator[str]:
        """The same by JointDecoder itself, with no step left out but the adapter's."""
        decoder = self._decoder(Setup(options=o, lm=self.lm))
        for block in _blocks(self.all):
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

    # --- the steps ---

    def plain(self, o: JointOptions, wanted: Sequence[int]) -> list[Hypothesis]:
        """The best text without list and language model."""
        decode = replace(o.decode, nbest=1, bonus=0.0, adaptive=0.0, unigram=0.0)
        setup = Setup(options=JointOptions(decode=decode), lm=False)
        free = replace(decode, lm_weight=0.0, word_bonus=0.0, unknown_penalty=0.0, list_prior=0.0,
                       guard_character=0.0, guard_list=0.0, adaptive_cap=0.0)  # fmt: skip

        def make(some: list[int]) -> Iterator[Hypothesis]:
            search = self._decoder(setup).search
            for block in _blocks(some):
                yield from (found[0] for found in self._found(search, block, None))

        return self._kept["plain"].each(_key(free), wanted, make)

    def search(self, o: JointOptions, case: Case | None, wanted: Sequence[int]) -> list[list[Hypothesis]]:
        """The n-best of the beam search, by the adapter's posteriors where it is on and there is a list."""

        def make(some: list[int]) -> Iterator[list[Hypothesis]]:
            search = self._searching(o).search
            for block in _blocks(some):
                yield from self._found(search, block, case, o)

        return self._kept["search"].each(self._search_key(o, case), wanted, make)

    def best(self, o: JointOptions, case: Case | None, wanted: Sequence[int]) -> list[Hypothesis]:
        """The best of the search, ranked by the phones where that is on."""

        def make(some: list[int]) -> Iterator[Hypothesis]:
            lists = [one.entities for one in self.lists(case, some, o)] if case is not None else [None] * len(some)
            for n, nbest, listed in zip(some, self.search(o, case, some), lists, strict=True):
                sounds = self.encoded[n].phones
                if o.rescore is not None:
                    nbest = rescore(nbest, sounds, o.rescore, graphs=self._phones, entities=listed)
                yield nbest[0]

        return self._kept["best"].each((self._search_key(o, case), _key(o.rescore)), wanted, make)

    def adapted(self, o: JointOptions, case: Case, wanted: Sequence[int]) -> list[Any]:
        """What the adapter makes of each utterance and its list; None where it is off."""
        if o.adapter is None or self._adapter is None:
            return [None] * len(wanted)
        adapt = self._adapter

        def make(some: list[int]) -> Iterator[Any]:
            one = adapt(Setup(options=o, lm=self.lm))
            for n, listed in zip(some, self.lists(case, some, o), strict=True):
                yield one(self.encoded[n], listed.entities) if listed.entities else None

        return self._kept["adapted"].each((case, _key(o.adapter)), wanted, make)

    def lists(self, case: Case, wanted: Sequence[int], o: JointOptions) -> list[Listed]:
        """The lists, compiled."""

        def make(some: list[int]) -> Iterator[Listed]:
            search, asked = self._searching(o), set(some)
            lookup = self._lookup(o) if o.lookup is not None or o.verify is not None else None
            last: Listed | None = None
            for n, listed in enumerate(case.corpus.lists(case.condition)):
                if n not in asked:
                    continue
                if last is None or last.entities is not listed:  # distractors alone are one object
                    last = Listed(listed, search.compile(listed), lookup.compile(listed) if lookup else None)
                yield last

        key = case, _key(o.variants), _key(self._places(o)), o.lookup is None and o.verify is None
        return self._lists.each(key, wanted, make)

    # --- parts ---

    def _shown(self, n: int, best: Hypothesis, listed: EntityList | None) -> str:
        return build_transcript([best], listed, self._frame, self.encoded[n].seconds, 1).text

    def _found(
        self, search: Decoder, block: Sequence[int], case: Case | None, o: JointOptions | None = None
    ) -> list[list[Hypothesis]]:
        log_probs = [self.encoded[n].log_probs for n in block]
        if case is None or o is None:
            return search.decode_batch(log_probs, None, self.threads)
        phrases = [one.phrases for one in self.lists(case, block, o)]
        adapted = self.adapted(o, case, block)
        biased = [one.log_probs if one is not None else x for one, x in zip(adapted, log_probs, strict=True)]
        return search.decode_batch(biased, phrases, self.threads)

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
        key = case, self._search_key(o, None if aside else case), *map(_key, (o.rescore, self._places(o), o.variants))
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
        def make(some: list[int]) -> Iterator[Claims]:
            for block in _blocks(some):
                yield from self._weighed(o, case, block, [None] * len(block))

        return self._kept["claims"].each(self._claim_key(o, case), wanted, make)

    def _proposed(self, o: JointOptions, case: Case, wanted: Sequence[int]) -> list[Claims]:
        """Of the entities that the search's n-best hold."""
        nbests = self.search(o, case, wanted)
        names = [frozenset(w.entity for h in nbest for w in h.words if w.entity is not None) for nbest in nbests]
        key = ("proposed", *self._claim_key(o, case))
        kept = self._kept["claims"].each(key, wanted, lambda some: ({} for _ in some))
        for n, proposed, known in zip(wanted, names, kept, strict=True):
            if proposed not in known:
                known[proposed] = self._weighed(o, case, [n], [proposed])[0]
        return [known[proposed] for known, proposed in zip(kept, names, strict=True)]

    def _weighed(
        self, o: JointOptions, case: Case, block: Sequence[int], proposed: Sequence[frozenset[int] | None]
    ) -> list[Claims]:
        lookup, found = self._lookup(o), []
        steps = (self.plain(o, block), self.search(o, None, block), self.adapted(o, case, block))
        for n, plain, nbest, adapted, names in zip(block, *steps, proposed, strict=True):
            one, listed = self.encoded[n], self.lists(case, [n], o)[0].pronounced
            assert listed is not None
            some: list[Claim] = []
            if names is None or names:
                some = lookup.claims(plain, nbest[0], one.log_probs, one.phones, listed, names, adapted)
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

    # --- what they depend on ---

    def _search_key(self, o: JointOptions, case: Case | None) -> Any:
        if case is None:
            free = replace(o.decode, bonus=0.0, adaptive=0.0, adaptive_cap=0.0, unigram=0.0, list_prior=0.0,
                           guard_character=0.0, guard_list=0.0, guard_common=0.0)  # fmt: skip
            return None, _key(free)
        return case, _key(o.decode), _key(o.variants), _key(o.adapter)

    def _claim_key(self, o: JointOptions, case: Case) -> tuple[Any, ...]:
        return case, self._search_key(o, None), _key(self._places(o)), _key(o.variants), _key(o.adapter)

    def _searching(self, o: JointOptions) -> JointDecoder:
        plain = JointOptions(decode=o.decode, variants=o.variants)
        return self._searches.get(_key(plain), lambda: self._decoder(Setup(options=plain, lm=self.lm)))

    def _places(self, o: JointOptions) -> EvidenceOptions:
        """Where entities are looked for; no place is left out for what it weighs."""
        return replace(evidence(o) or EvidenceOptions(), threshold=-1000.0, growth=0.0, phone_weight=1.0,
                       rarity_weight=self.reward, pace_weight=0.0, letter_weight=0.0, subword_weight=0.0,
                       context_weight=0.0, heard=0.0, written=0.0, attended_weight=0.0)  # fmt: skip

    def _lookup(self, o: JointOptions) -> Lookup:
        """Finds and puts as the options say; what passes is not its business here."""
        rule = EXACT if o.lookup == EXACT and o.verify is None else "soft"

        def make() -> Lookup:
            search = self._searching(o).search
            return Lookup(search.spelling, blank=search.blank, rule=rule, options=self._places(o), variants=o.variants)

        return self._lookups.get((rule, _key(self._places(o)), _key(o.variants)), make)


class _Few(Generic[Made]):
    """The last few of what is dear to make."""

    def __init__(self) -> None:
        self._made = OrderedDict[Any, Made]()

    def get(self, key: Any, make: Callable[[], Made]) -> Made:
        if key not in self._made:
            self._made[key] = make()
        self._made.move_to_end(key)
        while len(self._made) > 4:
            self._made.popitem(last=False)
        return self._made[key]


def _joined(one: Claims | None, more: Claims | None) -> Claims:
    """The claims of both, of the same place once."""
    if one is None or more is None:
        return one or more or Claims((), 1, inputs([], 1))
    known = {claim.spot for claim in one.claims}
    new = [k for k, claim in enumerate(more.claims) if claim.spot not in known]
    return Claims((*one.claims, *(more.claims[k] for k in new)), one.size, np.vstack([one.inputs, more.inputs[new]]))


def _blocks(some: Sequence[int]) -> Iterator[Sequence[int]]:
    """So many are decoded together, and held in memory at once."""
    return (some[start : start + BLOCK] for start in range(0, len(some), BLOCK))


def _key(options: Any) -> str:
    """Tells options from others."""
    return "null" if options is None else json.dumps(asdict(options), sort_keys=True)
