"""Modified Kneser-Ney and mixtures, against the formulas written out with dictionaries."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.arpa import LanguageModelError
from asrbias.lm import LanguageModel, estimate
from asrbias.mixture import estimate_mixture, mix, tune
from asrbias.perplexity import perplexity

pytestmark = pytest.mark.filterwarnings("ignore:.*too little text")
Gram = tuple[str, ...]
sentences_of = st.lists(st.lists(st.sampled_from("abcde"), max_size=7).map(" ".join), min_size=1, max_size=12)


class Reference:
    """Interpolated modified Kneser-Ney (Chen & Goodman 1998), each number counted when it is asked for."""

    def __init__(self, sentences: Sequence[str], order: int, cutoffs: Sequence[int]) -> None:
        self.order, self.cutoffs = order, cutoffs
        padded = [["<s>", *sentence.split(), "</s>"] for sentence in sentences if sentence.split()]
        self.seen = [
            Counter(tuple(line[i : i + n]) for line in padded for i in range(len(line) - n + 1))
            for n in range(1, order + 1)
        ]
        self.words = {word for line in padded for word in line} - {"<s>"} | {"<unk>"}

    def adjusted(self, gram: Gram) -> int:
        """How often in the highest order or after <s>; else in how many n-grams one longer it is the end."""
        n = len(gram)
        if n == self.order or gram[0] == "<s>":
            return 0 if gram == ("<s>",) else self.seen[n - 1][gram]
        return sum(longer[1:] == gram for longer in self.seen[n])

    def discounts(self, n: int) -> tuple[float, ...]:
        t = Counter(self.adjusted(gram) for gram in self.seen[n - 1])
        if t[1] and t[2] and t[3]:
            y = t[1] / (t[1] + 2 * t[2])
            found = tuple(k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3))
            if all(0 < d <= k for k, d in zip((1, 2, 3), found, strict=True)):
                return found
        return (0.5, 1.0, 1.5)

    def probability(self, word: str, history: Gram) -> float:
        history = history[-(self.order - 1) :] if self.order > 1 else ()
        if history and not any(gram[:-1] == history for gram in self.seen[len(history)]):
            return self.probability(word, history[1:])
        n = len(history) + 1
        followers = {gram: self.adjusted(gram) for gram in self.seen[n - 1] if gram[:-1] == history}
        total, discounts = sum(followers.values()), self.discounts(n)
        first = 0.0
        left = 1.0
        for gram, count in followers.items():
            if count and (n == 1 or self.seen[n - 1][gram] > self.cutoffs[n - 1]):
                share = (count - min(discounts[min(count, 3) - 1], count)) / total
                left -= share
                first += share if gram[-1] == word else 0.0
        return first + left * (self.probability(word, history[1:]) if history else 1 / len(self.words))


def next_word(model: LanguageModel, history: Sequence[str], word: str) -> float:
    """P(word | <s> history); of </s> where the word is that."""
    scores = model.word_scores(" ".join([*history, *([] if word == "</s>" else [word])]))
    return math.exp(scores[len(history)])


@settings(max_examples=40, deadline=None)
@given(sentences_of, st.integers(1, 4), st.sampled_from([(0,), (0, 0, 1), (0, 1, 1), (0, 2)]), st.data())
def test_equals_the_formulas(sentences: list[str], order: int, prune: tuple[int, ...], data: st.DataObject) -> None:
    sentences = [*sentences, "a b a b c"]
    prune = prune[:order]
    cutoffs = [*prune, *[prune[-1]] * (order - len(prune))]
    reference = Reference(sentences, order, cutoffs)
    model = estimate(sentences, order, prune=prune).language_model()
    history = data.draw(st.lists(st.sampled_from("abcdez"), max_size=4))
    for word in sorted(reference.words):
        expected = reference.probability(word, ("<s>", *("<unk>" if w not in reference.words else w for w in history)))
        assert next_word(model, history, word) == pytest.approx(expected, rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    sentences_of,
    sentences_of,
    st.integers(1, 4),
    st.floats(0.05, 0.95),
    st.lists(st.sampled_from("abcdez"), max_size=4),
)
def test_probabilities_sum_to_one(
    first: list[str], second: list[str], order: int, weight: float, history: list[str]
) -> None:
    words = list("abcdef")
    models = [estimate([*lines, "a b"], order, prune=(0, 1)[:order], vocabulary=words) for lines in (first, second)]
    mixed = mix(models, [weight, 1 - weight])
    for model in (models[0], mixed):
        scorer = model.language_model()
        total = sum(next_word(scorer, history, word) for word in [*words, "</s>", "<unk>"])
        assert total == pytest.approx(1, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(sentences_of, sentences_of, st.integers(1, 4))
def test_a_mixture_of_listed_ngrams_is_exact(first: list[str], second: list[str], order: int) -> None:
    models = [estimate([*lines, "a b"], order, vocabulary="abcde") for lines in (first, second)]
    mixed = mix(models, [0.3, 0.7]).language_model()
    parts = [model.language_model() for model in models]
    for line in filter(None, [*first, *second]):
        scores = np.array([part.word_scores(line) for part in parts])
        assert mixed.word_scores(line) == pytest.approx(np.log([0.3, 0.7] @ np.exp(scores)), abs=1e-4)


def test_tuned_weights_follow_the_held_out_text() -> None:
    cats, dogs = ["the cat sat on a mat"] * 20 + ["a cat ran"], ["my dog barked at me"] * 20 + ["my dog ran"]
    model, weights = estimate_mixture({"cats": cats, "dogs": dogs}, ["the cat ran", "the cat sat on a cat"], 2)
    assert list(weights) == ["all text", "cats", "dogs"] and sum(weights.values()) == pytest.approx(1)
    assert weights["cats"] > 0.5 > weights["dogs"]
    _, same = estimate_mixture({"cats": cats, "dogs": dogs}, ["the cat ran", "the cat sat on a cat"], 2)
    assert same == weights
    mixed, pooled = model.language_model(), estimate([*cats, *dogs], 2).language_model()
    assert perplexity(mixed, ["the cat ran"]).known < perplexity(pooled, ["the cat ran"]).known


def test_rare_words_teach_where_unknown_ones_stand() -> None:
    text = [f"mister {name} is here" for name in ("adams", "brown", "clark", "davis")] * 1 + [
        "is mister smith here"
    ] * 8
    mixed, _ = estimate_mixture({"text": text}, ["mister zelenskyy is here"], 2)
    plain = estimate(text, 2).language_model()
    assert next_word(mixed.language_model(), ["mister"], "zelenskyy") > 10 * next_word(plain, ["mister"], "zelenskyy")
    assert "adams" in mixed.words


def test_vocabulary() -> None:
    text = ["a a a b b c", "a b c d"]
    assert estimate(text, 2, vocabulary=2).words == ("<unk>", "<s>", "</s>", "a", "b")
    assert estimate(text, 2, vocabulary=["z", "a"]).words == ("<unk>", "<s>", "</s>", "a", "z")
    limited = estimate(text, 2, vocabulary=2).language_model()
    assert next_word(limited, ["b"], "unheard") > 0.3, "c and what else is left out count as <unk>"


def test_too_little_text_is_said() -> None:
    with pytest.warns(
        UserWarning, match=r"3-grams: there is too little text for discounts of its own \(counts of counts"
    ):
        estimate(["a b c"], 3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"order": 0}, "order is 0; give 1 to 6"),
        ({"order": 7}, "order is 7"),
        ({"prune": (1,)}, "prune is 1; .* the first 0"),
        ({"prune": (0, 2, 1)}, "none smaller than the one before"),
        ({"prune": (0, 0, 0, 0)}, "at most 3 counts"),
        ({"vocabulary": 0}, "vocabulary is 0"),
        ({"vocabulary": ["new york"]}, "'new york'"),
        ({"sentences": ["", " "]}, "no word in the text"),
        ({"sentences": "a b"}, "sentences is one str"),
        ({"sentences": ["a </s> b"]}, "holds <s> or </s>"),
    ],
)
def test_bad_options(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(LanguageModelError, match=says):
        estimate(**{"sentences": ["a b"], **arguments})  # type: ignore[arg-type]


def test_bad_mixtures() -> None:
    one, other = estimate(["a b"], 2), estimate(["a c"], 2)
    with pytest.raises(LanguageModelError, match="differ in their words"):
        mix([one, other], [0.5, 0.5])
    with pytest.raises(LanguageModelError, match=r"weights are 0\.5 0\.6"):
        mix([one, one], [0.5, 0.6])
    with pytest.raises(LanguageModelError, match="no model"):
        mix([], [])
    with pytest.raises(LanguageModelError, match="tuned on"):
        tune([one], [""])


def test_perplexity_by_hand() -> None:
    model = estimate(["a b", "a c"], 1).language_model()
    scores = model.word_scores("a unheard")
    found = perplexity(model, ["a unheard", ""])
    assert (found.sentences, found.words, found.unknown, found.unknown_rate) == (1, 2, 1, 0.5)
    assert found.known == pytest.approx(math.exp(-(scores[0] + scores[2]) / 2))
    assert found.all == pytest.approx(math.exp(-sum(scores) / 3))
    with pytest.raises(LanguageModelError, match="no word"):
        perplexity(model, [""])


def test_counts_are_those_of_the_text() -> None:
    seen: dict[int, set[Gram]] = defaultdict(set)
    text = ["a b c", "b c", "c"]
    for line in text:
        padded = ["<s>", *line.split(), "</s>"]
        for n in (2, 3):
            seen[n] |= {tuple(padded[i : i + n]) for i in range(len(padded) - n + 1)}
    assert estimate(text, 3).counts == (6, len(seen[2]), len(seen[3]))
