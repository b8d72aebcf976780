"""Phonetic rescoring: hypotheses ranked again by how well their words' sounds fit the phone head's posteriors.

    nbest = rescore(decoder.decode(log_probs, entities), phone_log_probs)
    nbest[0].phonetic

Dingliwal et al. 2022, "phonetic re-scoring":  S(y) = S_beam(y) - m C(y),  C(y) = -log P_phone(phones(y) | x). P is
summed over every CTC alignment and every pronunciation of every word, for all hypotheses in one call of the native
core; no more than one pronunciation a word counts in practice, so sum and best say the same. A word without a
pronunciation has no phones, so a hypothesis with one must explain its sound by blanks or its neighbours.

Rescoring chooses among what it is given: give it 50 hypotheses or more (`DecodeOptions(nbest=100, beam=100)`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asrbias import _core
from asrbias.alignment import LogProbsError
from asrbias.entities import EntityList
from asrbias.hypothesis import Hypothesis
from asrbias.nbest import NBest
from asrbias.phones import parse_pronunciation
from asrbias.wordgraphs import PhoneGraphs, Pronounce, tempered

NEVER = -1e6  # nats, for a text that the phones' frames cannot hold


class RescoringError(ValueError):
    """A rescoring option has a value that is not allowed."""


@dataclass(frozen=True, kw_only=True)
class RescoreOptions:
    """How much the phones count. Raises RescoringError for a value out of range."""

    weight: float = 0.25  # m, nats of score per nat of phone log probability; 0: the order stays
    temperature: float = 1.0  # the phone posteriors' exponent before they are normalised again; 1: as they are
    per_frame: bool = False  # C(y) divided by the frames, times 100: one weight for all lengths of audio
    list_weight: float = 1.0  # of the bias that the search gave, the part that counts from now on

    def __post_init__(self) -> None:
        for name, least, most in (("weight", 0.0, 100.0), ("temperature", 0.01, 10.0), ("list_weight", 0.0, 10.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
                raise RescoringError(f"{name} is {value!r}; it must be a number from {least:g} to {most:g}.")


def rescore(
    nbest: Iterable[Hypothesis],
    phone_log_probs: Any,
    options: RescoreOptions | None = None,
    *,
    pronounce: Pronounce | None = None,
    graphs: PhoneGraphs | None = None,
    entities: EntityList | None = None,
) -> list[Hypothesis]:
    """The hypotheses, best first, with `phonetic` filled and `score` summed again; each token sequence once.

    Args:
        nbest: of one utterance, from one search or several.
        phone_log_probs: [T, P] natural logarithms, blank first, then asrbias.phones.PHONES (or those of `graphs`).
        pronounce: words -> their pronunciations (default: asrbias.phones.pronounce).
        graphs: keeps words' pronunciations between calls; excludes `pronounce`.
        entities: the list; the pronunciations that its entities give are used for the words marked as theirs.
    Raises:
        LogProbsError, LogProbsTypeError: phone_log_probs is no such matrix.
        G2PUnavailable: a word is in no lexicon and g2p_en is not installed.
    """
    options = options or RescoreOptions()
    if pronounce is not None and graphs is not None:
        raise TypeError("give either pronounce or graphs: graphs has a pronounce of its own.")
    graphs = graphs if graphs is not None else PhoneGraphs(pronounce=pronounce)
    hypotheses = list(nbest)
    if not options.weight and options.list_weight == 1.0:
        return _put_together(hypotheses)
    scores = phone_scores(hypotheses, phone_log_probs, options, graphs, entities)
    return _put_together([_with(h, score, options) for h, score in zip(hypotheses, scores, strict=True)])


def rescore_nbest(
    nbest: NBest,
    phone_log_probs: Any,
    options: RescoreOptions,
    *,
    graphs: PhoneGraphs,
    entities: EntityList | None = None,
) -> list[Hypothesis]:
    """What `rescore` makes of one search's n-best, whose words nobody need look at for it."""
    own = entities is not None and any(entities[entity].pronunciation for entity in nbest.entities)
    if own or (not options.weight and options.list_weight == 1.0):
        return rescore(nbest.hypotheses(), phone_log_probs, options, graphs=graphs, entities=entities)
    words = nbest.native.distinct
    known = graphs.words(words)
    scores = _scores(
        lambda frames: nbest.native.text_scores(frames, [known[word] for word in words]), phone_log_probs, options
    )
    biases = [options.list_weight * bias for bias in nbest.bias]
    made = [
        nbest.hypothesis(number, bias=bias, phonetic=options.weight * score)
        for number, (bias, score) in enumerate(zip(biases, scores, strict=True))
    ]
    return _ranked(made)


def phone_scores(
    hypotheses: Sequence[Hypothesis],
    phone_log_probs: Any,
    options: RescoreOptions,
    graphs: PhoneGraphs,
    entities: EntityList | None = None,
) -> list[float]:
    """-C(y) of each hypothesis, in nats; per 100 frames where the options say so."""
    graphs.words(word.text for hypothesis in hypotheses for word in hypothesis.words)  # pronounced in one call
    texts = [_graphs(hypothesis, graphs, entities) for hypothesis in hypotheses]
    return _scores(lambda frames: _core.text_scores(frames, texts), phone_log_probs, options)


def _scores(
    score: Callable[[_core.Frames], list[float]], phone_log_probs: Any, options: RescoreOptions
) -> list[float]:
    matrix = tempered(phone_log_probs, options.temperature, name="phone_log_probs")
    try:
        found = score(_core.Frames(matrix, 0))
    except ValueError as error:
        raise LogProbsError(f"phone_log_probs does not fit: {error}.") from None
    per = 100.0 / max(1, len(matrix)) if options.per_frame else 1.0
    return [max(score, NEVER) * per for score in found]


def _graphs(hypothesis: Hypothesis, graphs: PhoneGraphs, entities: EntityList | None) -> list[_core.LabelGraph]:
    """The graphs of a hypothesis' words; of an entity that has pronunciations, one for all of its words."""
    known = graphs.words(word.text for word in hypothesis.words)
    if entities is None:
        return [known[word.text] for word in hypothesis.words]
    found, place = [], 0
    while place < len(hypothesis.words):
        word = hypothesis.words[place]
        own = entities[word.entity].pronunciation if word.entity is not None else ()
        if own and word.entity_span is not None and word.entity_span[0] == place:
            found.append(graphs.graph([parse_pronunciation(text) for text in own]))
            place = word.entity_span[1] + 1
        else:
            found.append(known[word.text])
            place += 1
    return found


def _with(hypothesis: Hypothesis, score: float, options: RescoreOptions) -> Hypothesis:
    bias, phonetic = options.list_weight * hypothesis.bias, options.weight * score
    total = hypothesis.acoustic + bias + hypothesis.lm + phonetic
    return replace(hypothesis, bias=bias, phonetic=phonetic, score=total)


def _put_together(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Best first; of those with the same tokens the best, so that two searches' results can be put together."""
    best: dict[tuple[int, ...], Hypothesis] = {}
    for hypothesis in hypotheses:
        rival = best.get(hypothesis.tokens)
        if rival is None or (hypothesis.score, hypothesis.bias) > (rival.score, rival.bias):
            best[hypothesis.tokens] = hypothesis
    return _ranked(list(best.values()))


def _ranked(hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Best first; of equal scores the text that comes first in the alphabet."""
    assert all(math.isfinite(h.score) for h in hypotheses)
    order = sorted(hypotheses, key=lambda h: -h.score)
    if any(a.score == b.score for a, b in itertools.pairwise(order)):
        order.sort(key=lambda h: (-h.score, h.text))
    return order
