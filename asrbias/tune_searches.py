"""The searches of joint decoding over a corpus, each done once for the options that it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asrbias.ablation_runs import Condition, Corpus, Encoded
from asrbias.decode_options import DecodeOptions
from asrbias.decoder import Decoder
from asrbias.entities import EntityList
from asrbias.evidence_options import EvidenceOptions
from asrbias.hypothesis import Hypothesis
from asrbias.joint import JointDecoder
from asrbias.joint_options import EXACT, JointOptions, unguarded
from asrbias.lookup import Lookup
from asrbias.phrases import Phrases
from asrbias.pronunciations import PronouncedList
from asrbias.rescoring import rescore
from asrbias.techniques import Setup
from asrbias.tune_kept import KEPT_LISTS, Few, Kept, blocks, key_of
from asrbias.tune_options import evidence, only_told
from asrbias.wordgraphs import PhoneGraphs


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


class Searches:
    """What comes before evidence is weighed: search, rescoring, the adapter.

    Args:
        encoded: the corpus' recordings.
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
        self._searches = Few[JointDecoder]()
        self._lookups = Few[Lookup]()
        self._kept = {
            name: Kept() for name in ("plain", "search", "best", "adapted", "claims", "attended", "written", "texts")
        }
        self._lists = Kept(KEPT_LISTS)

    @property
    def all(self) -> range:
        return range(len(self.encoded))

    def plain(self, o: JointOptions, wanted: Sequence[int]) -> list[Hypothesis]:
        """The best text without list and language model."""
        decode = replace(o.decode, nbest=1, bonus=0.0, adaptive=0.0, unigram=0.0)
        setup = Setup(options=JointOptions(decode=decode), lm=False)
        free = replace(decode, lm_weight=0.0, word_bonus=0.0, unknown_penalty=0.0, list_prior=0.0,
                       guard_character=0.0, guard_list=0.0, adaptive_cap=0.0)  # fmt: skip

        def make(some: list[int]) -> Iterator[Hypothesis]:
            search = self._decoder(setup).search
            for block in blocks(some):
                yield from (found[0] for found in self._found(search, block, None))

        return self._kept["plain"].each(key_of(free), wanted, make)

    def search(self, o: JointOptions, case: Case | None, wanted: Sequence[int]) -> list[list[Hypothesis]]:
        """The n-best of the beam search, by the adapter's posteriors where it is on and there is a list."""

        def make(some: list[int]) -> Iterator[list[Hypothesis]]:
            search = self._searching(o).search
            for block in blocks(some):
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

        return self._kept["best"].each((self._search_key(o, case), key_of(o.rescore)), wanted, make)

    def adapted(self, o: JointOptions, case: Case, wanted: Sequence[int]) -> list[Any]:
        """What the adapter makes of each utterance and its list; None where it is off."""
        if o.adapter is None or self._adapter is None:
            return [None] * len(wanted)
        adapt = self._adapter

        def make(some: list[int]) -> Iterator[Any]:
            one = adapt(Setup(options=o, lm=self.lm))
            for n, listed in zip(some, self.lists(case, some, o), strict=True):
                yield one(self.encoded[n], listed.entities) if listed.entities else None

        return self._kept["adapted"].each((case, key_of(o.adapter)), wanted, make)

    def lists(self, case: Case, wanted: Sequence[int], o: JointOptions) -> list[Listed]:
        """The lists, compiled."""

        def make(some: list[int]) -> Iterator[Listed]:
            search = self._searching(o)
            lookup = self._lookup(o) if o.lookup is not None or o.verify is not None else None
            last: Listed | None = None
            for listed in case.corpus.lists(case.condition, some):
                if last is None or last.entities is not listed:  # distractors alone are one object
                    last = Listed(listed, search.compile(listed), lookup.compile(listed) if lookup else None)
                yield last

        key = case, key_of(o.variants), key_of(self._places(o)), o.lookup is None and o.verify is None
        return self._lists.each(key, wanted, make)

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

    def _search_key(self, o: JointOptions, case: Case | None) -> Any:
        if case is None:
            free = replace(o.decode, bonus=0.0, adaptive=0.0, adaptive_cap=0.0, unigram=0.0, list_prior=0.0,
                           guard_character=0.0, guard_list=0.0, guard_common=0.0)  # fmt: skip
            return None, key_of(free)
        return case, key_of(_decode(o)), key_of(o.variants), key_of(o.adapter)

    def _searching(self, o: JointOptions) -> JointDecoder:
        plain = JointOptions(decode=_decode(o), variants=o.variants)
        return self._searches.get(key_of(plain), lambda: self._decoder(Setup(options=plain, lm=self.lm)))

    def _places(self, o: JointOptions) -> EvidenceOptions:
        """Where entities are looked for; no place is left out for what it weighs."""
        return replace(evidence(o) or EvidenceOptions(), threshold=-1000.0, growth=0.0, phone_weight=1.0,
                       rarity_weight=self.reward, pace_weight=0.0, letter_weight=0.0, rival_weight=0.0,
                       subword_weight=0.0, context_weight=0.0, heard=0.0, written=0.0, attended_weight=0.0)  # fmt: skip

    def _lookup(self, o: JointOptions) -> Lookup:
        """Finds and puts as the options say; what passes is not its business here."""
        rule = EXACT if o.lookup == EXACT and o.verify is None else "soft"

        def make() -> Lookup:
            search = self._searching(o).search
            return Lookup(search.spelling, blank=search.blank, rule=rule, options=self._places(o), variants=o.variants)

        return self._lookups.get((rule, key_of(self._places(o)), key_of(o.variants)), make)


def _decode(o: JointOptions) -> DecodeOptions:
    """Of the search with a list."""
    return unguarded(o.decode) if only_told(o) else o.decode
