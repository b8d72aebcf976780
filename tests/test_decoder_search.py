"""The pruned search against the same search written for reading: its bounds and short cuts must change nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.decoder import DecodeOptions, Decoder
from asrbias.entities import Entity
from asrbias.lm import LanguageModel
from tests.lm_oracle import Speaker, model
from tests.plain_search import BLANK, LABELS, PlainSearch, Worth

words = st.text("ab", min_size=1, max_size=4)
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)
weights = st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0])
lists = st.lists(st.builds(lambda p, w: Entity(p, weight=w), phrases, weights), max_size=8)
seeds = st.integers(0, 2**32 - 1)
plain = {
    "beam": st.integers(1, 7),
    "settled_beam": st.sampled_from([0, 1, 3]),
    "nbest": st.sampled_from([1, 4, 100]),
    "top_k": st.integers(1, 9),
    "token_threshold": st.sampled_from([1.0, 3.0, math.inf]),
    "phrase_threshold": st.sampled_from([2.0, 5.0, math.inf]),
    "beam_threshold": st.sampled_from([2.0, 6.0, math.inf]),
    "bonus": st.sampled_from([0.0, 0.5, 1.0, 4.0]),
}
adaptive = {
    "adaptive": st.sampled_from([0.3, 0.9]),  # at 1 all that lags is made equal: ties
    "adaptive_cap": st.sampled_from([1.0, 6.0]),
    "adaptive_top": st.sampled_from(["label", "prefix"]),
    "adaptive_top_k": st.sampled_from([2, 5, 100]),
}
spoken = {
    "lm_weight": st.sampled_from([0.5, 1.5]),
    "word_bonus": st.sampled_from([-1.0, 0.0, 4.0]),
    "unknown_penalty": st.sampled_from([-5.0, 1.0]),
    "unigram": st.sampled_from([0.0, 0.6, 1.0]),
    "list_prior": st.sampled_from([0.0, 1.0]),
}


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return model(tmp_path_factory.mktemp("lm"))


def check(seed: int, frames: int, entities: list[Entity], o: DecodeOptions, lm: LanguageModel | None) -> None:
    logits = np.random.default_rng(seed).normal(scale=2.5, size=(frames, len(LABELS)))
    log_probs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    search = PlainSearch(Worth(entities, o, None if lm is None else Speaker(o, entities)))
    for row in log_probs.astype(np.float64):
        search.step(row)
    expected = search.found()
    found = Decoder(LABELS, blank=BLANK, lm=lm, options=o).decode(log_probs, entities)
    assert {h.tokens for h in found} == {tokens for tokens, *_ in expected}
    scores = {tokens: parts for tokens, *parts in expected}
    for h in found:
        assert [h.acoustic, h.bias, h.lm] == pytest.approx(scores[h.tokens], abs=1e-4)
        assert h.score == h.acoustic + h.bias + h.lm
    assert found[0].score == pytest.approx(sum(expected[0][1:]), abs=1e-4)


@settings(max_examples=120, deadline=None)
@given(seed=seeds, frames=st.integers(1, 10), entities=lists, o=st.builds(DecodeOptions, **plain))
def test_equals_a_plain_search(seed: int, frames: int, entities: list[Entity], o: DecodeOptions) -> None:
    check(seed, frames, entities, o, None)


@settings(max_examples=80, deadline=None)
@given(seed=seeds, frames=st.integers(1, 10), entities=lists, o=st.builds(DecodeOptions, **plain, **spoken))
def test_equals_a_plain_search_with_a_language_model(
    lm: LanguageModel, seed: int, frames: int, entities: list[Entity], o: DecodeOptions
) -> None:
    check(seed, frames, entities, o, lm)


def test_the_class_alone_brings_a_phrase_into_the_beam(lm: LanguageModel) -> None:
    """Of a listed token beyond top_k, where nothing but unigram boosting pays."""
    o = DecodeOptions(
        beam=2, settled_beam=0, top_k=1, token_threshold=1.0, phrase_threshold=2.0, beam_threshold=2.0, bonus=0.0,
        lm_weight=0.5, word_bonus=-1.0, unknown_penalty=-5.0, unigram=0.6, list_prior=0.0,
    )  # fmt: skip
    check(1, 1, [Entity("ab", weight=0.5)], o, lm)


def test_the_past_of_a_first_word_is_not_that_of_an_unknown_one(lm: LanguageModel) -> None:
    """<s> is the language model's word 1: "babb" at the beginning was taken for "ba bab", as the hashes of both met."""
    o = DecodeOptions(
        beam=5, settled_beam=0, nbest=1, top_k=3, token_threshold=1.0, phrase_threshold=2.0, beam_threshold=2.0,
        bonus=1.0, lm_weight=0.5, word_bonus=-1.0, unknown_penalty=-5.0, unigram=1.0, list_prior=0.0,
    )  # fmt: skip
    check(8, 5, [Entity("babb", weight=3.0)], o, lm)


def test_a_token_may_begin_and_complete_a_phrase() -> None:
    """What counts as settled after it is more than what counted before."""
    o = DecodeOptions(
        beam=1, settled_beam=1, nbest=1, top_k=1, token_threshold=1.0, phrase_threshold=5.0, beam_threshold=2.0,
        bonus=4.0,
    )  # fmt: skip
    check(26263, 7, [Entity("b", weight=0.5), Entity("ab", weight=3.0), Entity("aab aa", weight=3.0)], o, None)


@settings(max_examples=80, deadline=None)
@given(seed=seeds, frames=st.integers(1, 10), entities=lists, o=st.builds(DecodeOptions, **plain, **adaptive))
def test_equals_a_plain_search_with_adaptive_boosting(
    seed: int, frames: int, entities: list[Entity], o: DecodeOptions
) -> None:
    check(seed, frames, entities, o, None)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, frames=st.integers(1, 10), entities=lists, o=st.builds(DecodeOptions, **plain, **adaptive, **spoken))
def test_equals_a_plain_search_with_everything(
    lm: LanguageModel, seed: int, frames: int, entities: list[Entity], o: DecodeOptions
) -> None:
    check(seed, frames, entities, o, lm)
    check(seed, frames, entities, replace(o, bonus=0.0), lm)
