"""Several n-gram models as one: linear interpolation with weights tuned on text (Jelinek & Mercer 1980).

    model, weights = estimate_mixture({"wiki": wiki, "calls": calls}, held_out_calls)

Text of different kinds mixed by weight fits the kind that is wanted better than the same text in one heap, where the
largest source decides. The mixture is again one back-off model: it has every n-gram that any of the models has, with
P(w | h) = sum of weight_i P_i(w | h), and back-off weights that make each history's probabilities sum to one.

What is mixed is a model of all text, which knows every word, and one of each source in which rare words count as
<unk>: from these the mixture learns where unknown words stand ("mister <unk>"), which text whose every word is known
cannot tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from asrbias.arpa import BEGIN, NEVER, SPECIAL, UNKNOWN, ArpaModel, Floats, Integers, LanguageModelError, NGrams
from asrbias.kneserney import estimate

ROUNDS = 50  # of expectation maximisation, at most
ENOUGH = 1e-4  # change of every weight at which it ends
TRIFLE = 1e-3  # weight below which a model is left out
LEAST = 1e-10  # probability left to the words that do not follow a history, where rounding leaves none


def estimate_mixture(
    sources: Mapping[str, Sequence[str]],
    held_out: Iterable[str],
    order: int = 3,
    *,
    prune: Sequence[int] = (),
    vocabulary: int | Iterable[str] | None = None,
    rare: int = 1,
) -> tuple[ArpaModel, dict[str, float]]:
    """A mixture tuned on `held_out`, and its weights: of "all text" and of each source.

    `rare`: how often a word may be in all text and yet count as <unk> in the sources' models. The other options are
    those of `estimate`. Raises LanguageModelError as `estimate` and `tune` do.
    """
    text = [sentence for sentences in sources.values() for sentence in sentences]
    everything = estimate(text, order, prune=prune, vocabulary=vocabulary)
    count = Counter(word for sentence in text for word in sentence.split())
    models = [everything]
    for sentences in sources.values():
        shown = [" ".join([w if count[w] > rare else UNKNOWN for w in sentence.split()]) for sentence in sentences]
        models.append(estimate(shown, order, prune=prune, vocabulary=everything.words))
    weights = tune(models, held_out)
    return mix(models, weights), dict(zip(["all text", *sources], weights, strict=True))


def tune(models: Sequence[ArpaModel], sentences: Iterable[str]) -> tuple[float, ...]:
    """The weights of the mixture under which `sentences` are most probable, by expectation maximisation.

    Raises LanguageModelError for no models or no words.
    """
    _check(models)
    lines = [sentence for sentence in sentences if sentence.split()]
    if not lines:
        raise LanguageModelError(
            "There is no word in the text that the weights are tuned on; give at least one sentence."
        )
    scorers = [model.language_model() for model in models]
    log_probs = np.array(
        [[p for line in lines for p in scorer.word_scores(line)] for scorer in scorers]
    )  # [models, words]
    likelihood = np.exp(log_probs - log_probs.max(axis=0))
    weights = np.full(len(models), 1 / len(models))
    for _ in range(ROUNDS):
        joint = weights[:, None] * likelihood
        updated = (joint / joint.sum(axis=0)).mean(axis=1)
        moved = np.abs(updated - weights).max()
        weights = updated
        if moved < ENOUGH:
            break
    weights = np.where(weights < TRIFLE, 0.0, weights)
    return tuple((weights / weights.sum()).tolist())


def mix(models: Sequence[ArpaModel], weights: Sequence[float]) -> ArpaModel:
    """The mixture of models that have the same words (`estimate` with the same `vocabulary`) and order.

    Raises LanguageModelError where words, orders or numbers of weights differ, or the weights do not sum to one.
    """
    _check(models)
    if len(weights) != len(models) or min(weights) < 0 or abs(sum(weights) - 1) > 1e-6:
        raise LanguageModelError(
            f"The weights are {' '.join(f'{w:g}' for w in weights)}; give one for each of {len(models)} models, none "
            "negative, that sum to one."
        )
    size = len(models[0].words)
    parts = [_Part(model, weight) for model, weight in zip(models, weights, strict=True) if weight > 0]
    first = np.log10(sum((part.weight * part.value for part in parts), np.zeros(size)))
    first[SPECIAL.index(BEGIN)] = NEVER
    nothing = np.zeros(size, np.int64)
    orders = [NGrams(history=nothing, word=np.arange(size), probability=first, back_off=np.zeros(size))]
    suffix = nothing  # of each n-gram its place in the order below without the first word
    for n in range(2, models[0].order + 1):
        lower = orders[-1]
        history, word = np.divmod(np.unique(np.concatenate([part.keys(n, size) for part in parts])), size)
        suffix = word if n == 2 else np.searchsorted(lower.history * size + lower.word, suffix[history] * size + word)
        values = sum((part.weight * part.extend(n, history, word, suffix, size) for part in parts), np.zeros(len(word)))
        orders[-1] = replace(lower, back_off=_back_offs(history, values, 10 ** lower.probability[suffix], len(lower)))
        orders.append(NGrams(history=history, word=word, probability=np.log10(values), back_off=np.zeros(len(word))))
    return ArpaModel(words=models[0].words, orders=tuple(orders))


class _Part:
    """A model on its way into the mixture, order by order."""

    def __init__(self, model: ArpaModel, weight: float) -> None:
        self.model, self.weight = model, weight
        self.place: Integers = np.arange(len(model.words))  # of its n-grams of this order among the mixture's
        self.value: Floats = 10 ** model.orders[0].probability  # its probabilities of the mixture's n-grams

    def keys(self, n: int, size: int) -> Integers:
        """Its n-grams of order n, the next one, by the mixture's numbers."""
        ngrams = self.model.orders[n - 1]
        return self.place[ngrams.history] * size + ngrams.word

    def extend(self, n: int, history: Integers, word: Integers, suffix: Integers, size: int) -> Floats:
        """Go on to order n: its probabilities of the mixture's n-grams, by back-off where it does not list them."""
        back_off = np.ones(len(self.value))
        back_off[self.place] = 10 ** self.model.orders[n - 2].back_off
        place = np.searchsorted(history * size + word, self.keys(n, size))
        value = back_off[history] * self.value[suffix]
        value[place] = 10 ** self.model.orders[n - 1].probability
        self.place, self.value = place, value
        return value


def _back_offs(history: Integers, values: Floats, lower: Floats, histories: int) -> Floats:
    """log10 of what each history leaves to other words, over what the order below gives them."""
    left = 1 - np.bincount(history, values, histories)
    below = 1 - np.bincount(history, lower, histories)
    weights: Floats = np.log10(np.maximum(left, LEAST) / np.maximum(below, LEAST))
    return weights


def _check(models: Sequence[ArpaModel]) -> None:
    if not models:
        raise LanguageModelError("There is no model to mix; give at least one.")
    if len({(model.words, model.order) for model in models}) > 1:
        raise LanguageModelError(
            "The models differ in their words or their order; estimate all with one order and one `vocabulary`."
        )
