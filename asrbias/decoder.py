"""CTC prefix beam search with phrase bonuses and a language model: log-probabilities in, n-best texts out.

    decoder = Decoder(labels, blank=0, lm=LanguageModel.read("model.arpa"), options=DecodeOptions(beam=32))
    best = decoder.decode(log_probs, entities=["Zelenskyy", "Kyiv"])[0]
    best.text, best.score == best.acoustic + best.bias + best.lm + best.phonetic, best.words[0].entity

The search is in native code: native/tracker.hpp says exactly what a list of phrases pays and phrases.py how much,
native/fusion.hpp what the language model adds.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from asrbias import _core
from asrbias.alignment import LogProbsError, as_matrix
from asrbias.decode_options import DecodeOptions as DecodeOptions
from asrbias.decode_options import DecoderError as DecoderError
from asrbias.decode_options import DecoderTypeError as DecoderTypeError
from asrbias.decoder_stream import DecoderStream
from asrbias.entities import Entity, EntityList
from asrbias.hypothesis import Hypothesis as Hypothesis
from asrbias.hypothesis import Word as Word
from asrbias.nbest import NBest
from asrbias.phrases import Phrases, Spelling, compile_automaton, compile_words, find_unusable
from asrbias.phrasetable import PhraseTable

if TYPE_CHECKING:
    from asrbias.lm import LanguageModel

CACHED_LISTS = 32  # compiled lists that a decoder keeps
WARNED_LISTS = 10_000  # lists that it remembers to have warned about


class UnusableEntityWarning(UserWarning):
    """Entities of a list can never be found, because the labels cannot spell them."""


class Decoder:
    """Beam search over the outputs of a CTC model. Safe to use from several threads.

    Args:
        labels: V strings, one a column of log_probs: SentencePiece pieces ("▁the") or characters with " " (or "|") as
            the separator. Without any separator all of an utterance is one word, and entity lists are refused.
            Control labels such as "<unk>" are never emitted (phrases.Spelling).
        blank: position of the CTC blank, whatever its label is.
        lm: a word n-gram model. Its words are matched as phrases are: without regard to case and diacritics.
    Raises:
        LabelsError: no labels, duplicates, or a blank that is none of them.
        DecoderError: a language model for labels without a separator, or one none of whose words they can spell.
        LanguageModelError: a KenLM binary that holds no strings of its words.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        blank: int = 0,
        lm: LanguageModel | None = None,
        options: DecodeOptions | None = None,
    ) -> None:
        if options is not None and not isinstance(options, DecodeOptions):
            raise DecoderTypeError(f"options is {type(options).__name__}; give a DecodeOptions.")
        labels = tuple(labels) if isinstance(labels, Iterable) and not isinstance(labels, str) else labels
        self.spelling = Spelling.of(labels, blank)
        self.labels = tuple(labels)
        self.blank = int(blank)
        self.options = options if options is not None else DecodeOptions()
        self._vocabulary = _core.Vocabulary(self.spelling.matched, self.blank, self.spelling.shown)
        self._words = self._compile_lm(lm) if lm is not None else None
        self._cache: OrderedDict[str, Phrases] = OrderedDict()
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def _compile_lm(self, lm: LanguageModel) -> _core.LmTrie:
        if not isinstance(getattr(lm, "native", None), _core.NGram):
            raise DecoderTypeError(f"lm is {type(lm).__name__}; give a LanguageModel (LanguageModel.read(path)).")
        if self.spelling.separator is None:
            raise DecoderError(
                "A language model needs words, and these labels have no word separator: none holds '▁' and neither "
                "' ' nor '|' is a label; add the separator or leave the model out."
            )
        words = compile_words(self._vocabulary, lm, self.spelling.charset, self.options.boost_word)
        if not len(words):
            raise DecoderError(
                f"None of the language model's {len(lm.words):,} words can be written with these labels; is it of "
                "another language, or a model of characters or pieces?"
            )
        return words

    def with_options(self, options: DecodeOptions) -> Decoder:
        """A decoder of the same labels and language model with other options; lists compiled by one serve both."""
        other = copy(self)
        other.options, other._cache, other._lock = options, OrderedDict(), threading.Lock()
        other._warned = set()
        return other

    @property
    def speaks(self) -> bool:
        """Whether there is a language model."""
        return self._words is not None

    # --- entity lists ---

    def compile(self, entities: EntityList | Phrases | PhraseTable | Iterable[str | Entity]) -> Phrases:
        """The list made ready for these labels; the last 32 lists are kept, whatever their order.

        `.unusable` of the result names the entities that the labels cannot spell. Raises EntityError, EntityTypeError
        for a bad list, DecoderError where the labels have no word separator.
        """
        if isinstance(entities, Phrases):
            if entities.spelling != self.spelling:
                raise DecoderError("These phrases were compiled for other labels; compile the list with this decoder.")
            return entities
        if isinstance(entities, PhraseTable):
            return self._compile(entities, None, None)
        listed = EntityList.coerce(entities)
        if listed is None:
            raise DecoderTypeError("compile takes an entity list, not None; to decode without one, give decode None.")
        with self._lock:
            cached = self._cache.get(listed.digest)
            if cached is not None:
                self._cache.move_to_end(listed.digest)
        if cached is not None and cached.entities == listed:
            return cached
        phrases = self._compile(listed.forms(self.spelling.charset), listed, cached)
        with self._lock:
            self._cache[listed.digest] = phrases
            while len(self._cache) > CACHED_LISTS:
                self._cache.popitem(last=False)
        return phrases

    def _compile(self, table: PhraseTable, listed: EntityList | None, same: Phrases | None) -> Phrases:
        if self.spelling.separator is None and (len(table) or listed):
            raise DecoderError(
                "Entities need words, and these labels have no word separator: none holds '▁' and neither ' ' nor '|' "
                "is a label; add the separator or decode without a list."
            )
        # The same list in another order has the same table but for the entities' positions.
        automaton = same.automaton if same is not None else compile_automaton(self._vocabulary, table)
        if automaton is None:
            automaton = compile_automaton(self._vocabulary, table)
        unusable = find_unusable(table, listed, automaton, self.spelling.charset)
        return Phrases(table, None if automaton.empty else automaton, unusable, listed, self.spelling)

    # --- decoding ---

    def decode(
        self, log_probs: Any, entities: EntityList | Phrases | Iterable[str | Entity] | None = None
    ) -> list[Hypothesis]:
        """The n-best, best first; at least one, which is empty where nothing was said or T is 0.

        Args:
            log_probs: [T, V] natural-log probabilities, numpy or torch, any float type; -inf is allowed.
            entities: the list for this item; an empty one gives exactly what None gives.
        Raises:
            LogProbsError, LogProbsTypeError: NaN, +inf, values above 0, another V, no float array.
        """
        return self._run([as_matrix(log_probs, len(self.labels))], [self._phrases(entities)], 1)[0]

    def decode_batch(
        self,
        log_probs: Sequence[Any],
        entities: Sequence[EntityList | Phrases | Iterable[str | Entity] | None] | EntityList | Phrases | None = None,
        threads: int | None = None,
    ) -> list[list[Hypothesis]]:
        """`decode` for each item, on `threads` threads (None: one a core); the result does not depend on how many.

        Args:
            log_probs: B matrices [T_i, V].
            entities: B lists (or None), one for each item; one EntityList or Phrases serves all of them.
        """
        return self._run(*self._given(log_probs, entities, threads))

    def search_batch(self, log_probs: Sequence[Any], entities: Any = None, threads: int | None = None) -> list[NBest]:
        """What `decode_batch` does, without making the hypotheses."""
        return self._nbests(*self._given(log_probs, entities, threads))

    def _given(self, log_probs: Any, entities: Any, threads: int | None) -> tuple[list[Any], list[Phrases | None], int]:
        if not isinstance(log_probs, Iterable):
            raise DecoderTypeError(f"log_probs is {type(log_probs).__name__}; give a list of matrices [T, V].")
        matrices = [as_matrix(x, len(self.labels), f"log_probs of item {i}") for i, x in enumerate(log_probs)]
        if threads is None:
            threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise DecoderError(f"threads is {threads!r}; it must be a whole number, 1 or more, or None for one a core.")
        return matrices, self._lists(entities, len(matrices)), threads

    def _lists(self, entities: Any, count: int) -> list[Phrases | None]:
        if entities is None:
            return [None] * count
        if isinstance(entities, (EntityList, Phrases)):
            return [self._phrases(entities)] * count
        lists = list(entities) if isinstance(entities, Iterable) else [""]
        if any(isinstance(item, (str, Entity)) for item in lists):
            raise DecoderTypeError(
                "decode_batch takes a list of entities for each item; for the same list everywhere give an EntityList."
            )
        if len(lists) != count:
            raise DecoderError(
                f"There are {count} items but {len(lists)} entity lists; give one list (or None) per item."
            )
        return [self._phrases(item) for item in lists]

    def _phrases(self, entities: Any) -> Phrases | None:
        if entities is None:
            return None
        phrases = self.compile(entities)
        if phrases.unusable:
            self._warn(phrases)
        return phrases

    def _warn(self, phrases: Phrases) -> None:
        key = phrases.entities.digest if phrases.entities is not None else repr(phrases.unusable)
        with self._lock:
            if key in self._warned:
                return
            if len(self._warned) >= WARNED_LISTS:
                self._warned.clear()
            self._warned.add(key)
        some = "; ".join(f"{u.phrase!r}: {u.reason}" for u in phrases.unusable[:5])
        more = f"; and {len(phrases.unusable) - 5} more" if len(phrases.unusable) > 5 else ""
        warnings.warn(
            f"{len(phrases.unusable)} of the entities cannot be found with these labels ({some}{more}).",
            UnusableEntityWarning,
            stacklevel=4,
        )

    def stream(self, entities: EntityList | Phrases | Iterable[str | Entity] | None = None) -> DecoderStream:
        """For one item whose posteriors come bit by bit; see decoder_stream.py. Raises what `decode` raises."""
        phrases = self._phrases(entities) if self.options.bias != 0.0 else None
        automaton = phrases.automaton if phrases is not None else None
        search = _core.Stream(self._vocabulary, self._search_options(), automaton, self._words)
        return DecoderStream(search, len(self.labels), self.spelling, phrases)

    def _search_options(self) -> _core.SearchOptions:
        o = self.options.dialled()
        return _core.SearchOptions(
            beam=o.beam,
            nbest=o.nbest,
            top_k=o.top_k,
            token_threshold=o.token_threshold,
            phrase_threshold=o.phrase_threshold,
            beam_threshold=o.beam_threshold,
            bonus=o.bonus,
            adaptive=o.adaptive,
            unigram=o.unigram,
            gap_cap=o.adaptive_cap,
            gap_top_k=o.adaptive_top_k,
            gap_prefix=o.adaptive_top == "prefix",
            lm_weight=o.lm_weight,
            word_bonus=o.word_bonus,
            unknown_penalty=o.unknown_penalty,
            list_prior=o.list_prior,
            settled_beam=o.settled_beam,
            guard_character=o.guard_character,
            guard_list=o.guard_list,
            guard_common=o.guard_common,
        )

    def _run(self, matrices: list[Any], lists: list[Phrases | None], threads: int) -> list[list[Hypothesis]]:
        return [found.hypotheses() for found in self._nbests(matrices, lists, threads)]

    def _nbests(self, matrices: list[Any], lists: list[Phrases | None], threads: int) -> list[NBest]:
        if self.options.bias == 0.0:
            lists = [None] * len(lists)
        automata = [phrases.automaton if phrases is not None else None for phrases in lists]
        try:
            results = _core.decode(self._vocabulary, self._search_options(), matrices, automata, self._words, threads)
        except ValueError as error:
            raise LogProbsError(f"{error}.") from None
        return [NBest(found, phrases) for found, phrases in zip(results, lists, strict=True)]
