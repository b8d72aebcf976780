"""Scores of recognised text against references: WER, CER, U-WER and B-WER, entity precision, recall and F1.

    result = asrbias.score(["call Siobhan now"], ["call shivaun now"], entities=["Siobhan"])
    result.totals.wer.error_rate        # 33.3 (percent)
    result.totals.entities.recall       # 0.0

What is counted, and by which alignment:
- U-WER, B-WER, entities: the alignment of is21_deep_bias (Le et al. 2021). B-WER counts the reference words that are in
  the utterance's biasing words (by default the words of its spoken entities), and inserted words that are among them.
- WER: the fewest errors ("minimum", what other tools report), or the is21 alignment ("is21"), as the option says.
- entities: true ones are the phrases of `entities` that occur in the reference; `lists` are what the recognizer was
  given. A phrase of either that the hypothesis writes where the reference does not have it is a false hit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rapidfuzz.distance import Levenshtein

from asrbias.align_words import MINIMUM, Alignment, align, edits
from asrbias.normalisation import Normaliser
from asrbias.score_arguments import Phrases, by_id, check_same, durations_by_id, phrases_by_id
from asrbias.score_entities import PhraseSet, match_entities
from asrbias.score_results import (
    CharErrors,
    EntityCounts,
    ScoreInputError,
    Totals,
    Utterance,
    UtteranceScore,
    WordErrors,
    add_up,
)

WER_ALIGNMENTS = ("minimum", "is21")


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """How to score."""

    normalisation: str = "basic"  # none, basic or english
    wer_alignment: str = "minimum"  # minimum: fewest errors; is21: that of B-WER and U-WER, for WER also
    partial: bool = False  # leave out utterances with an empty reference, instead of refusing them

    def __post_init__(self) -> None:
        if self.wer_alignment not in WER_ALIGNMENTS:
            raise ValueError(
                f"WER alignment {self.wer_alignment!r} is not known; choose one of {', '.join(WER_ALIGNMENTS)}."
            )


@dataclass(frozen=True, kw_only=True)
class Score:
    """The result: totals, each utterance, and what the reader must know (notes)."""

    options: ScoreOptions
    totals: Totals
    utterances: tuple[UtteranceScore, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        t = self.totals
        return f"WER: {t.wer}\nU-WER: {t.u_wer}\nB-WER: {t.b_wer}\nentities: {t.entities}"


def score(
    references: str | Sequence[str] | Mapping[str, str],
    hypotheses: str | Sequence[str] | Mapping[str, str],
    *,
    entities: Phrases | Mapping[str, Phrases] | None = None,
    lists: Phrases | Mapping[str, Phrases] | None = None,
    durations: Sequence[float] | Mapping[str, float] | None = None,
    normalisation: str = "basic",
    wer_alignment: str = "minimum",
    partial: bool = False,
) -> Score:
    """Score texts in memory: one text each, sequences in the same order, or mappings by utterance id.

    Args:
        references, hypotheses: the texts.
        entities: true entities: an iterable of phrases for all utterances alike, or one iterable an utterance.
        lists: phrases given to the recognizer, in the same form; None: the entities.
        durations: seconds, one an utterance, for false hits per hour.
        normalisation, wer_alignment, partial: as in ScoreOptions.

    Raises:
        ScoreInputError: the two do not match, or a reference is empty.
    """
    options = ScoreOptions(normalisation=normalisation, wer_alignment=wer_alignment, partial=partial)
    refs, hyps = by_id(references, "references"), by_id(hypotheses, "hypotheses")
    check_same(refs, hyps, partial)
    ids = [key for key in refs if key in hyps]
    true, listed = phrases_by_id(entities, list(refs), "entities"), phrases_by_id(lists, list(refs), "lists")
    seconds = durations_by_id(durations, list(refs))
    utterances = [
        Utterance(
            id=key,
            reference=refs[key],
            hypothesis=hyps[key],
            entities=true.get(key),
            list=listed.get(key),
            duration=seconds.get(key),
        )
        for key in ids
    ]
    return score_utterances(utterances, options)


def score_utterances(utterances: Sequence[Utterance], options: ScoreOptions | None = None) -> Score:
    """Score utterances, as `asrbias.score_files` reads them."""
    options = options or ScoreOptions()
    scorer = _Scorer(options)
    scores, empty = [], []
    for utterance in utterances:
        scored = scorer.score(utterance)
        if scored.reference:
            scores.append(scored)
        elif options.partial:
            empty.append(utterance.id)
        else:
            raise ScoreInputError(
                f"The reference of {utterance.id!r} is empty under the normalisation {options.normalisation!r}, so it "
                "has no error rate; give its text, or leave such utterances out with --partial (partial=True)."
            )
    if not scores:
        raise ScoreInputError("There is no utterance to score.")
    totals = add_up(scores)
    return Score(
        options=options, totals=totals, utterances=tuple(scores), notes=tuple(_notes(scores, totals, empty, options))
    )


class _Scorer:
    """Scores one utterance after another; phrase lists that come again are normalised once."""

    def __init__(self, options: ScoreOptions) -> None:
        self._normaliser = Normaliser(options.normalisation)
        self._minimum = options.wer_alignment == "minimum"
        self._sets: dict[int, tuple[tuple[str, ...], PhraseSet]] = {}

    def score(self, utterance: Utterance) -> UtteranceScore:
        reference = self._normaliser.words(utterance.reference)
        hypothesis = self._normaliser.words(utterance.hypothesis)
        alignment = align(reference, hypothesis)
        true = self._phrase_set(utterance.list if utterance.entities is None else utterance.entities)
        matches = match_entities(reference, hypothesis, alignment, true, [self._phrase_set(utterance.list)])
        spoken = {o.phrase for o in (*matches.found, *matches.missed)}
        given = utterance.biasing_words
        forms = spoken if given is None else map(self._normaliser.form, given)
        biasing = frozenset(word for form in forms for word in form.split())
        u_wer, b_wer = _count(reference, hypothesis, alignment, biasing)
        wer = WordErrors(len(reference), u_wer.subs + b_wer.subs, u_wer.ins + b_wer.ins, u_wer.dels + b_wer.dels)
        if self._minimum and wer.errors and wer.errors > edits(reference, hypothesis):
            wer, _ = _count(reference, hypothesis, align(reference, hypothesis, MINIMUM), frozenset())
        chars = " ".join(reference)
        return UtteranceScore(
            utterance=utterance,
            reference=reference,
            hypothesis=hypothesis,
            alignment=tuple(alignment),
            wer=wer,
            u_wer=u_wer,
            b_wer=b_wer,
            cer=CharErrors(len(chars), Levenshtein.distance(chars, " ".join(hypothesis))),
            found=matches.found,
            missed=matches.missed,
            false_hits=matches.false_hits,
            unspoken=tuple(p for p in utterance.entities or () if self._normaliser.form(p) not in spoken),
        )

    def _phrase_set(self, phrases: tuple[str, ...] | None) -> PhraseSet:
        if not phrases:
            return PhraseSet(frozenset(), ())
        known = self._sets.get(id(phrases))
        if known is None or known[0] is not phrases:
            made = PhraseSet.of(map(self._normaliser.form, phrases))
            if len(phrases) < 1000:  # a set of its own for each utterance would fill the memory
                return made
            if len(self._sets) >= 8:
                self._sets.clear()
            known = self._sets[id(phrases)] = (phrases, made)
        return known[1]


def _count(
    reference: Sequence[str], hypothesis: Sequence[str], alignment: Alignment, biasing: frozenset[str]
) -> tuple[WordErrors, WordErrors]:
    """Errors on words outside and inside the biasing words; an inserted word is judged by itself."""
    words, subs, ins, dels = [0, 0], [0, 0], [0, 0], [0, 0]
    for i, j in alignment:
        if i < 0:
            ins[hypothesis[j] in biasing] += 1
            continue
        side = reference[i] in biasing
        words[side] += 1
        if j < 0:
            dels[side] += 1
        elif reference[i] != hypothesis[j]:
            subs[side] += 1
    return WordErrors(words[0], subs[0], ins[0], dels[0]), WordErrors(words[1], subs[1], ins[1], dels[1])


def _notes(
    scores: Sequence[UtteranceScore], totals: Totals, empty: Sequence[str], options: ScoreOptions
) -> Iterable[str]:
    if empty:
        yield f"{len(empty)} utterances with an empty reference were left out, the first {empty[0]!r}."
    more = totals.u_wer.errors + totals.b_wer.errors - totals.wer.errors
    if more:
        yield (
            f"U-WER and B-WER together have {more} errors more than WER: the is21 alignment costs prefer right words "
            "to few errors, WER takes the fewest."
        )
    lost = [(s.utterance.id, phrase) for s in scores if s.utterance.list is not None for phrase in s.unspoken]
    if lost:
        first, phrase = lost[0]
        yield (
            f"{len(lost)} phrases under `entities` do not occur in their reference and were taken for distractors, "
            f"the first {phrase!r} in {first!r}."
        )


class _Callable(ModuleType):
    """`asrbias.score` names both this module and its function; whichever Python finds there can be called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Score:
        return score(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable

__all__ = ["EntityCounts", "Score", "ScoreInputError", "ScoreOptions", "Totals", "Utterance", "UtteranceScore"]
__all__ += ["WordErrors", "score", "score_utterances"]
