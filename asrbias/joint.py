"""All techniques of decoder biasing together: search, rescoring by phones, pronunciation lookup, spelling variants.

    options = JointOptions(decode=DecodeOptions(bonus=1.0), rescore=RescoreOptions(), lookup=EvidenceOptions())
    decoder = JointDecoder(labels, lm=lm, options=options)
    best = decoder.decode(log_probs, phone_log_probs, entities=["Zelenskyy", "Kyiv"])[0]

Dingliwal et al. 2022 (arXiv 2210.09510): each technique alone and all of them. In this order:
1. the beam search (decoder.py), with the list's bonuses, and with the list's other spellings where `variants` are on;
2. `verify`: what its n-best hold of the list is a proposal only; the n-best are then those without a list;
3. `rescore`: the n-best ranked again by how their words sound (rescoring.py);
4. `lookup`: entities are put into the best of them where their sounds are (lookup.py).

What an `adapter` made of the posteriors (adapting.py) is what 1. searches; with the soft rule of `lookup` its text is
evidence for the entities in it, as the adapter's attention is, and 3. and 4. go on from the text without a list.

With none of 2 to 4 this is a Decoder. Where there is no phone head, `spelled` makes phones of what the model spells
(spelledphones.py).
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from asrbias.adapting import Adapted
from asrbias.decode_options import DecodeOptions
from asrbias.decoder import Decoder
from asrbias.entities import Entity, EntityList
from asrbias.evidence import Claim, Utterance
from asrbias.evidence_options import EvidenceOptions
from asrbias.hypothesis import Hypothesis
from asrbias.joint_options import EXACT, unguarded
from asrbias.joint_options import JointError as JointError
from asrbias.joint_options import JointOptions as JointOptions
from asrbias.joint_options import JointTypeError as JointTypeError
from asrbias.lookup import Lookup, accepted
from asrbias.marking import marked
from asrbias.nbest import NBest
from asrbias.phones import PHONES
from asrbias.phrases import Phrases
from asrbias.phrasetable import PhraseTable
from asrbias.pronunciations import PronouncedList
from asrbias.rescoring import rescore_nbest
from asrbias.spelledphones import SpelledPhones
from asrbias.variants import VariantOptions, with_variants
from asrbias.wordgraphs import PhoneGraphs

if TYPE_CHECKING:
    from asrbias.lm import LanguageModel

Result = TypeVar("Result")
KEPT_LISTS = 32  # lists whose phrases with variants are kept
Entities = EntityList | Iterable[str | Entity] | None


class JointDecoder:
    """Search and everything that follows it, over the outputs of a CTC model. Safe to use from several threads.

    Args:
        labels, blank, lm: as of Decoder; its errors are raised.
        phones: the phone head's labels after its blank, which is 0.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        blank: int = 0,
        lm: LanguageModel | None = None,
        phones: Sequence[str] = PHONES,
        options: JointOptions | None = None,
    ) -> None:
        if options is not None and not isinstance(options, JointOptions):
            raise JointTypeError(f"options is {type(options).__name__}; give a JointOptions.")
        if not isinstance(phones, Sequence) or not all(isinstance(phone, str) for phone in phones):
            raise JointTypeError(f"phones is {phones!r:.60}; give a list of the phone head's labels after its blank.")
        self.options = options if options is not None else JointOptions()
        self.search = Decoder(labels, blank=blank, lm=lm, options=_searched(self.options))
        self._told = self.search.with_options(unguarded(self.search.options))
        self.labels, self.blank = self.search.labels, self.search.blank
        self._phones = PhoneGraphs(phones)
        self._spelled = self._make_spelled(phones)
        self._lookup = self._make_lookup(phones)
        self._plain = self._make_plain(labels) if self._lookup is not None and self._lookup.rule != EXACT else None
        self._variants: OrderedDict[str, tuple[EntityList, Phrases]] = OrderedDict()
        self._lock = threading.Lock()

    def _make_lookup(self, phones: Sequence[str]) -> Lookup | None:
        o, search = self.options, self.search
        wanted = o.lookup if o.verify is None else o.verify
        if wanted is None:
            return None
        rule, options = (EXACT, None) if isinstance(wanted, str) else ("soft", wanted)
        if options is not None:
            options = replace(options, threshold=options.threshold + options.dial * (1.0 - o.decode.bias))
        return Lookup(
            search.spelling, blank=search.blank, phones=phones, rule=rule, options=options, variants=o.variants
        )

    def _make_spelled(self, phones: Sequence[str]) -> SpelledPhones | None:
        o = self.options.spelled
        return None if o is None else SpelledPhones(self.labels, blank=self.blank, phones=phones, options=o)

    def _make_plain(self, labels: Sequence[str]) -> Decoder:
        """What the soft rule compares with: the best text without list and language model."""
        options = replace(self.options.decode, nbest=1, bonus=0.0, adaptive=0.0, unigram=0.0)
        return Decoder(labels, blank=self.blank, options=options)

    def decode(
        self, log_probs: Any, phone_log_probs: Any = None, entities: Entities = None, adapted: Adapted | None = None
    ) -> list[Hypothesis]:
        """The n-best, best first; at least one.

        Args:
            log_probs: [T, V] natural logarithms.
            phone_log_probs: [T, P] of the phone head, the same frames; not needed where no technique reads it, or
                where the options have phones made of what is spelled.
            entities: the list; None or an empty one gives what the search gives, rescored where that is on.
            adapted: what an adapter made of the item and the list (adapting.py).
        Raises:
            JointError: phone_log_probs is missing, or has another number of frames.
            What Decoder.decode raises.
        """
        return self.decode_batch([log_probs], [phone_log_probs], [entities], threads=1, adapted=[adapted])[0]

    def decode_batch(
        self,
        log_probs: Sequence[Any],
        phone_log_probs: Sequence[Any] | None = None,
        entities: Sequence[Entities] | EntityList | None = None,
        threads: int | None = None,
        adapted: Sequence[Adapted | None] | None = None,
    ) -> list[list[Hypothesis]]:
        """`decode` for each of B items, on `threads` threads (None: one a core); how many does not change the result.

        One EntityList serves all items. `adapted`: what an adapter made of each item and its list (adapting.py; None:
        nothing). The search reads its posteriors, the evidence its attention; what is without a list reads log_probs.
        """
        for given in (log_probs, phone_log_probs, adapted):
            if given is not None and not hasattr(given, "__len__"):
                raise JointTypeError(f"{type(given).__name__} was given in place of a list of B items; give a list.")
        if log_probs is None:
            raise JointTypeError("log_probs is None; give a list of matrices [T, V].")
        sounds = list(phone_log_probs) if phone_log_probs is not None else [None] * len(log_probs)
        lists = self._lists(entities, len(log_probs))
        if not self.options.decode.bias:  # the dial at 0: no list
            lists = [None] * len(lists)
        self._check(log_probs, sounds, lists)
        sounds = self._with_spelled(log_probs, sounds, lists, threads)
        phrases = [self._compile(one) if one is not None else None for one in lists]
        told = self._adapted(lists, adapted)
        biased = [one.log_probs if one is not None else x for one, x in zip(told, log_probs, strict=True)]
        found = self._search(biased, phrases, [self._aside(one) for one in told], threads)
        if not self.options.sounds:
            return [one.hypotheses() for one in found]
        items = self._items(log_probs, sounds, lists, threads)
        items = [replace(item, adapted=one) for item, one in zip(items, told, strict=True)]
        return _each(self._after, list(zip(found, items, strict=True)), threads or _cores())

    def _aside(self, told: Adapted | None) -> bool:
        """Whether an item's search is evidence, and its text that of a search without a list."""
        weighs = self._lookup is not None and self._lookup.rule != EXACT
        return weighs and (self.options.verify is not None or told is not None)

    def _search(
        self, log_probs: Sequence[Any], phrases: Sequence[Any], aside: Sequence[bool], threads: int | None
    ) -> list[NBest]:
        """Guarded where what it writes of the list stays."""
        found: dict[int, NBest] = {}
        for search, kind in ((self.search, False), (self._told, True)):
            some = [n for n, one in enumerate(aside) if one == kind]
            if some:
                made = search.search_batch([log_probs[n] for n in some], [phrases[n] for n in some], threads)
                found |= zip(some, made, strict=True)
        return [found[n] for n in range(len(aside))]

    def _items(self, log_probs: Sequence[Any], sounds: Sequence[Any], lists: Any, threads: int | None) -> list[Item]:
        """With what the soft rule compares, where there is a list."""
        items = [Item(*one) for one in zip(log_probs, sounds, lists, strict=True)]
        if self._plain is not None:
            listed = [n for n, one in enumerate(lists) if one]
            some = [log_probs[n] for n in listed]
            plain = self._plain.search_batch(some, None, threads)
            unbiased = self.search.search_batch(some, [self._unsought(lists[n]) for n in listed], threads)
            for n, one, other in zip(listed, plain, unbiased, strict=True):
                items[n] = replace(items[n], plain=one.best, unbiased=other)
        return items

    def _unsought(self, listed: EntityList) -> Phrases | None:
        """Phrases with a weight of 0 or less: no evidence is sought for them, so they count without the list too."""
        forms = listed.forms(self.search.spelling.charset)
        rows = np.flatnonzero(forms.weight <= 0)
        if not len(rows):
            return None
        table = PhraseTable(tuple(forms.texts[row] for row in rows), forms.entity[rows], forms.weight[rows])
        made = self.search.compile(table)
        return Phrases(table, made.automaton, (), listed, made.spelling)  # what is unusable was said of the whole list

    def _adapted(self, lists: Sequence[Any], adapted: Sequence[Adapted | None] | None) -> list[Adapted | None]:
        """Where there is no list, or the dial is at 0, nothing is adapted."""
        if adapted is None:
            return [None] * len(lists)
        if len(adapted) != len(lists):
            raise JointError(f"There are {len(lists)} items but {len(adapted)} adapted ones; give one for each.")
        return [one if listed else None for one, listed in zip(adapted, lists, strict=True)]

    def _check(self, log_probs: Sequence[Any], sounds: Sequence[Any], lists: Sequence[EntityList | None]) -> None:
        if len(sounds) != len(log_probs):
            raise JointError(f"There are {len(log_probs)} items but {len(sounds)} phone posteriors; give one for each.")
        if self._spelled is None and any(map(self._lacks, sounds, lists)):
            raise JointError(
                "phone_log_probs is missing, and these options read the phone head; give its posteriors, or "
                "spelled=SpelledOptions() to read what the model spells, or set rescore, lookup and verify to None."
            )

    def _lacks(self, sounds: Any, listed: EntityList | None) -> bool:
        """Whether an item's phones will be read and were not given."""
        return sounds is None and self.options.sounds and (self.options.rescore is not None or bool(listed))

    def _with_spelled(
        self, log_probs: Sequence[Any], sounds: Sequence[Any], lists: Sequence[EntityList | None], threads: int | None
    ) -> list[Any]:
        """The phones of what is spelled where phones are needed and were not given."""
        made = list(sounds)
        lacking = [n for n, item in enumerate(zip(sounds, lists, strict=True)) if self._lacks(*item)]
        if self._spelled is not None and lacking:
            found = _each(self._spelled, [(log_probs[n],) for n in lacking], threads or _cores())
            for n, one in zip(lacking, found, strict=True):
                made[n] = one
        return made

    def _lists(self, entities: Any, count: int) -> list[EntityList | None]:
        if entities is None or isinstance(entities, EntityList):
            return [entities] * count
        lists = list(entities) if isinstance(entities, Iterable) else [""]
        if any(isinstance(one, (str, Entity)) for one in lists):
            raise JointTypeError(
                "decode_batch takes a list of entities for each item; for the same list everywhere give an EntityList."
            )
        if len(lists) != count:
            raise JointError(f"There are {count} items but {len(lists)} entity lists; give one (or None) per item.")
        return [EntityList.coerce(one) for one in lists]

    def compile(self, entities: EntityList | Iterable[str | Entity]) -> Phrases:
        """The list as the search uses it, with its variants; Decoder.compile says more."""
        listed = EntityList.coerce(entities)
        if listed is None:
            raise JointTypeError("compile takes an entity list, not None; to decode without one, give decode None.")
        return self._compile(listed)

    def _compile(self, listed: EntityList) -> Phrases:
        variants = self.options.variants
        if variants is None or not variants.spellings:
            return self.search.compile(listed)
        return self._with_variants(listed, variants)

    def _with_variants(self, listed: EntityList, variants: VariantOptions) -> Phrases:
        with self._lock:
            kept = self._variants.get(listed.digest)
            if kept is not None and kept[0] == listed:
                self._variants.move_to_end(listed.digest)
                return kept[1]
        plain = self.search.compile(listed)  # says which entities are unusable, by their names
        table = with_variants(plain.table, variants.spellings, weight=variants.weight)
        made = self.search.compile(table)
        phrases = Phrases(table, made.automaton, plain.unusable, listed, made.spelling)
        with self._lock:
            self._variants[listed.digest] = (listed, phrases)
            while len(self._variants) > KEPT_LISTS:
                self._variants.popitem(last=False)
        return phrases

    def _after(self, found: NBest, item: Item) -> list[Hypothesis]:
        """What comes after the search, for one item."""
        o, lookup, entities = self.options, self._lookup, item.entities
        pronounced = lookup.compile(entities) if lookup is not None and entities else None
        claims: list[Claim] = []
        if lookup is not None and pronounced is not None and item.plain is not None:
            claims, found = self._weighed(lookup, pronounced, found, item)
        if o.rescore is not None:
            nbest = rescore_nbest(found, item.sounds, o.rescore, graphs=self._phones, entities=entities)
        else:
            nbest = found.hypotheses()
        if lookup is None or pronounced is None:
            return nbest
        if lookup.rule == EXACT:
            best = lookup(nbest[0], item.log_probs, item.sounds, pronounced)
        else:
            best = lookup.put(nbest[0], accepted(claims), item.log_probs, pronounced)
        if best is not nbest[0]:
            nbest = [best, *(one for one in nbest[1:] if one.tokens != best.tokens)]
        return nbest if item.adapted is None else [marked(one, pronounced) for one in nbest]

    def _weighed(
        self, lookup: Lookup, pronounced: PronouncedList, found: NBest, item: Item
    ) -> tuple[list[Claim], NBest]:
        """What passes the soft rule, and the hypotheses that accepted entities are put into.

        With an adapter these are the ones without a list: what it changes beside entities does more harm than good.
        """
        assert item.plain is not None and item.unbiased is not None
        told, aside = item.adapted, self._aside(item.adapted)
        searches: list[set[int] | None] = [None] if self.options.lookup is not None else []
        if aside:
            searches.append(found.entities)
        biased = found.best if told is not None else None
        heard = item.plain, item.unbiased.best, item.log_probs, item.sounds
        claims = lookup.passing(Utterance(*heard, pronounced, told, biased), searches)
        return claims, item.unbiased if aside else found


@dataclass(frozen=True, eq=False)
class Item:
    """What is known of one utterance."""

    log_probs: Any  # [T, V]
    sounds: Any  # [T, P]
    entities: EntityList | None
    plain: Hypothesis | None = None  # the best text without list and language model
    unbiased: NBest | None = None  # without list
    adapted: Adapted | None = None


def _each(function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]], threads: int) -> list[Result]:
    if min(threads, len(arguments)) <= 1:
        return [function(*some) for some in arguments]
    with ThreadPoolExecutor(min(threads, len(arguments))) as pool:
        return list(pool.map(lambda some: function(*some), arguments))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _searched(o: JointOptions) -> DecodeOptions:
    """The search's part of the dial.

    Above 1 it is the evidence that gives way: with an open guard the search writes ten times the false hits for the
    same names (docs/log.md).
    """
    if not isinstance(o.verify or o.lookup, EvidenceOptions):
        return o.decode
    return replace(o.decode, bias=min(1.0, o.decode.bias))
