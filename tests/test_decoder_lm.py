"""A language model in the beam search, against an oracle that enumerates every alignment and every parse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.decoder import DecodeOptions, Decoder, DecoderError, DecoderTypeError, Hypothesis
from asrbias.entities import Entity, EntityList
from asrbias.lm import LanguageModel
from tests.lm_oracle import Speaker, model
from tests.test_decoder_bias import (
    CHARACTERS,
    EVERYTHING,
    PIECES,
    enumerate_sequences,
    lists,
    matrix,
    oracle_bias,
    seeds,
    spell,
)

weights_of_the_model = st.builds(
    DecodeOptions,
    lm_weight=st.sampled_from([0.3, 1.0, 2.0]),
    word_bonus=st.sampled_from([-1.0, 0.0, 3.0]),
    unknown_penalty=st.sampled_from([-5.0, 0.0, 1.0]),
    unigram=st.just(0.0),
)


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return model(tmp_path_factory.mktemp("lm"))


@pytest.fixture(scope="module")
def without_boost(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return model(tmp_path_factory.mktemp("lm"), boost=False)


def wide(o: DecodeOptions) -> DecodeOptions:
    names = ("beam", "nbest", "top_k", "token_threshold", "phrase_threshold", "beam_threshold")
    return replace(o, **{name: getattr(EVERYTHING, name) for name in names})


def decode(
    labels: Sequence[str], log_probs: np.ndarray, entities: object, lm: LanguageModel | None, o: DecodeOptions
) -> list[Hypothesis]:
    return Decoder(labels, blank=labels.index("<blank>"), lm=lm, options=o).decode(log_probs, entities)  # type: ignore[arg-type]


def oracle(text: str, entities: Sequence[Entity], speaker: Speaker, bonus: float) -> float:
    """Bias with unigram boosting: the best parse by trying all, from the definition."""
    spoken = text.split()

    def pay(at: int, end: int) -> float:
        phrase = " ".join(spoken[at:end])
        lm = speaker.words(spoken[:end], at)
        return oracle_bias(phrase, [e for e in entities if e.phrase == phrase], bonus) + speaker.gain(
            phrase, spoken[:at], lm
        )

    def parse(at: int) -> float:
        if at == len(spoken):
            return 0.0
        ends = [end for end in range(at + 1, len(spoken) + 1) if speaker.weights.get(" ".join(spoken[at:end]), -1) >= 0]
        return max([parse(at + 1), *(pay(at, end) + parse(end) for end in ends)])

    return parse(0) + oracle_bias(text, [e for e in entities if speaker.weights[e.phrase] < 0], bonus)


@pytest.mark.parametrize(("labels", "frames"), [(CHARACTERS, 5), (PIECES, 4)])
@settings(max_examples=20, deadline=None)
@given(seed=seeds, entities=lists, o=weights_of_the_model)
def test_wide_beam_equals_enumeration(
    lm: LanguageModel, labels: list[str], frames: int, seed: int, entities: list[Entity], o: DecodeOptions
) -> None:
    log_probs = matrix(seed, frames, len(labels))
    expected = enumerate_sequences(log_probs, labels.index("<blank>"))
    found = decode(labels, log_probs, entities, lm, wide(o))
    speaker = Speaker(o)
    assert {h.tokens for h in found} == set(expected)
    for h in found:
        assert h.acoustic == pytest.approx(expected[h.tokens], abs=1e-5)
        assert h.bias == pytest.approx(oracle_bias(h.text, entities), abs=1e-5)
        assert h.lm == pytest.approx(speaker.text(h.text.split()), abs=1e-4)
        assert h.score == h.acoustic + h.bias + h.lm + h.phonetic
    scores = [
        expected[t] + oracle_bias(x, entities) + speaker.text(x.split()) for t in expected for x in [spell(labels, t)]
    ]
    assert found[0].score == pytest.approx(max(scores), abs=1e-4)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@pytest.mark.parametrize("boost", [True, False])
@settings(max_examples=30, deadline=None)
@given(
    seed=seeds,
    entities=lists,
    o=weights_of_the_model,
    unigram=st.sampled_from([0.5, 1.0]),
    prior=st.sampled_from([0.0, 0.7]),
    bonus=st.sampled_from([0.0, 0.8]),
)
def test_unigram_boosting_is_paid_to_the_best_parse(
    request: pytest.FixtureRequest,
    boost: bool,
    seed: int,
    entities: list[Entity],
    o: DecodeOptions,
    unigram: float,
    prior: float,
    bonus: float,
) -> None:
    lm = request.getfixturevalue("lm" if boost else "without_boost")
    o = replace(o, unigram=unigram, list_prior=prior, bonus=bonus)
    speaker = Speaker(o, entities, boost)
    for options, frames, labels in ((wide(o), 4, PIECES), (replace(o, beam=6), 12, CHARACTERS)):
        log_probs = matrix(seed, frames, len(labels))
        found = decode(labels, log_probs, entities, lm, options)
        for h in found:
            assert h.lm == pytest.approx(speaker.text(h.text.split()), abs=1e-4)
            assert h.bias == pytest.approx(oracle(h.text, entities, speaker, bonus), abs=1e-4)
            assert h.score == h.acoustic + h.bias + h.lm
        if options.beam == EVERYTHING.beam:
            for h in found:
                assert h.score <= found[0].score


@settings(max_examples=30, deadline=None)
@given(seed=seeds, entities=lists, data=st.data())
def test_order_of_the_list_changes_nothing(
    lm: LanguageModel, seed: int, entities: list[Entity], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(entities))
    log_probs = matrix(seed, 12, len(PIECES))
    o = DecodeOptions(beam=4, unigram=1.0, adaptive=0.5)
    one, other = (decode(PIECES, log_probs, EntityList(e), lm, o) for e in (entities, shuffled))
    assert [(h.tokens, h.acoustic, h.bias, h.lm) for h in one] == [(h.tokens, h.acoustic, h.bias, h.lm) for h in other]


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_empty_list_changes_no_byte(lm: LanguageModel, seed: int) -> None:
    log_probs = matrix(seed, 20, len(PIECES))
    o = DecodeOptions(beam=6, unigram=1.0, adaptive=0.5)
    without = decode(PIECES, log_probs, None, lm, o)
    for nothing in ([], EntityList([])):
        assert decode(PIECES, log_probs, nothing, lm, o) == without


def test_threads_give_what_one_by_one_gives(lm: LanguageModel) -> None:
    decoder = Decoder(PIECES, blank=PIECES.index("<blank>"), lm=lm, options=DecodeOptions(unigram=1.0))
    matrices = [matrix(seed, 10 + 3 * seed, len(PIECES)) for seed in range(8)]
    same = [None, ["abb", "ba b"]] * 4
    alone = [decoder.decode(m, e) for m, e in zip(matrices, same, strict=True)]
    for threads in (1, 3):
        assert decoder.decode_batch(matrices, same, threads) == alone


# --- readable cases ---


def say(text: str, **doubts: float) -> np.ndarray:
    """The text, a frame a character; `b=0.3` leaves 0.3 to the character itself, the rest to a for b, b for a."""
    probs = np.full((2 * len(text), len(CHARACTERS)), 1e-9)
    probs[1::2, 0] = 1.0
    for i, c in enumerate(text):
        p = doubts.get(c, 1.0)
        probs[2 * i, CHARACTERS.index(c)] = p
        probs[2 * i, CHARACTERS.index("b" if c == "a" else "a")] += 1 - p
    return np.log(probs / probs.sum(1, keepdims=True))


def test_the_likelier_word_wins(lm: LanguageModel) -> None:
    heard = say("b", b=0.6)  # log P(a) is 2 nats above log P(b), and <s> a is a bigram
    o = DecodeOptions(lm_weight=1.0, word_bonus=0.0)
    assert decode(CHARACTERS, heard, None, None, o)[0].text == "b"
    assert decode(CHARACTERS, heard, None, lm, o)[0].text == "a"
    assert decode(CHARACTERS, heard, None, lm, replace(o, lm_weight=0.0, unknown_penalty=0.0))[0].text == "b"


def test_unknown_words_pay_their_penalty_and_listed_ones_do_not(lm: LanguageModel) -> None:
    heard = say("bb", b=0.9)
    o = DecodeOptions(lm_weight=0.5, word_bonus=0.0, unknown_penalty=-12.0, unigram=0.0, bonus=0.0)
    assert decode(CHARACTERS, heard, ["bb"], lm, o)[0].text != "bb"
    found = decode(CHARACTERS, heard, ["bb"], lm, replace(o, unigram=1.0))[0]
    assert found.text == "bb" and found.words[0].entity == 0
    assert found.lm + found.bias == pytest.approx(
        0.5 * (-0.6 - 0.1 - 0.9) * math.log(10), abs=1e-4
    )  # <boost>, </s> after <unk>


def test_a_longer_list_earns_less(lm: LanguageModel) -> None:
    o = wide(DecodeOptions(lm_weight=1.0, word_bonus=0.0, unknown_penalty=-12.0, bonus=0.0))
    few, many = ["bb"], ["bb", *(f"a{'b' * i}" for i in range(2, 11))]

    def bias(names: list[str], o: DecodeOptions) -> float:
        return next(h for h in decode(CHARACTERS, say("bb", b=0.9), names, lm, o) if h.text == "bb").bias

    assert bias(few, o) - bias(many, o) == pytest.approx(math.log(len(many)), abs=1e-4)
    flat = replace(o, list_prior=0.0)
    assert bias(few, flat) == pytest.approx(bias(many, flat))


def test_the_class_stands_once_for_a_phrase_of_several_words(lm: LanguageModel) -> None:
    o = DecodeOptions(lm_weight=1.0, word_bonus=0.0, unknown_penalty=-4.0, bonus=0.0)
    found = next(h for h in decode(CHARACTERS, say("bb bb"), ["bb bb"], lm, o) if h.text == "bb bb")
    ended = math.log(10) * (-0.1 - 0.9)  # </s> after <unk>
    assert found.bias + found.lm == pytest.approx(-0.6 * math.log(10) + ended, abs=1e-4)
    assert found.words[0].entity_span == (0, 1)


# --- bad input ---


def test_what_is_no_language_model(lm: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(DecoderTypeError, match="give a LanguageModel"):
        Decoder(CHARACTERS, blank=0, lm="model.arpa")  # type: ignore[arg-type]
    with pytest.raises(DecoderError, match="no word separator"):
        Decoder(["-", "a", "b"], blank=0, lm=lm)
    with pytest.raises(DecoderError, match="None of the language model's 8 words"):
        Decoder(["-", " ", "x", "y"], blank=0, lm=lm)


@pytest.mark.parametrize(
    "options",
    [
        {"lm_weight": -0.1},
        {"lm_weight": math.nan},
        {"word_bonus": math.inf},
        {"unknown_penalty": "3"},
        {"unigram": 1.5},
        {"list_prior": -1},
        {"boost_word": ""},
        {"adaptive": 2},
        {"adaptive_cap": -1},
        {"adaptive_top": "frame"},
        {"adaptive_top_k": 0},
    ],
)
def test_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(DecoderError, match=next(iter(options))):
        DecodeOptions(**options)  # type: ignore[arg-type]
