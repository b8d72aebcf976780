"""The guard against false hits, and the one dial of biasing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.decoder import DecodeOptions, Decoder, DecoderError, Hypothesis
from asrbias.entities import Entity
from tests.test_decoder_bias import LETTERS, PIECES, best, decode, lists, matrix, say, seeds

BLANK = PIECES.index("<blank>")
HEARD = say("in kyiv", k=0.2)  # "l" is log(0.79 / 0.2) = 1.37 nats above "k"


def test_a_phrase_must_be_borne_out_by_what_was_heard() -> None:
    assert best(HEARD, ["kyiv"], bonus=3.0).text == "in kyiv"
    assert best(HEARD, ["kyiv"], bonus=3.0, guard_character=0.4).text == "in kyiv"  # 1.6 nats for 4 characters
    stopped = best(HEARD, ["kyiv"], bonus=3.0, guard_character=0.3)
    assert stopped.text == "in lyiv" and stopped.bias == 0.0
    assert best(HEARD, ["kyiv"], bonus=100.0, guard_character=0.3).text == "in lyiv"  # no bonus lifts the floor


def test_longer_lists_and_common_words_need_more() -> None:
    words = ["kyiv", *(f"zz{c}" for c in "abcdefghi")]
    o = {"bonus": 3.0, "guard_character": 0.5, "guard_list": 0.5}  # 2 nats - 0.5 log(phrases)
    assert best(HEARD, words[:2], **o).text == "in kyiv"
    assert best(HEARD, words, **o).text == "in lyiv"
    heard = say("a king", g=0.2)
    assert best(heard, ["king"], bonus=3.0, guard_character=0.5).text == "a king"
    assert best(heard, ["king"], bonus=3.0, guard_character=0.5, guard_common=1.0).text == "a kinh"


def test_what_is_said_anyway_is_shown_though_nothing_is_paid() -> None:
    found = best(say("in kyiv"), ["kyiv", "lviv"], guard_character=0.0, guard_list=1.0)
    assert found.text == "in kyiv" and found.bias == 0.0 and found.words[1].entity == 0


def test_other_phrases_are_still_paid() -> None:
    heard = say("kyiv now", k=0.2, w=0.3)
    found = best(heard, ["kyiv", "now"], bonus=3.0, guard_character=0.3)
    assert found.text == "lyiv now" and found.bias == pytest.approx(3.0 * 9 / 7)


def test_what_can_never_pass_is_paid_nothing_and_leaves_the_n_best() -> None:
    options = DecodeOptions(bonus=0.1, guard_character=0.0, guard_list=1.0)
    plain, found = decode(LETTERS, HEARD, None, options), decode(LETTERS, HEARD, ["kyiv", "lviv"], options)
    assert [h.text for h in plain[:2]] == ["in lyiv", "in kyiv"]
    assert [h.text for h in found[:2]] == ["in lyiv", "in kyiv"] and not any(h.bias for h in found)


def test_negative_weights_do_not_ask_the_guard() -> None:
    listed = [Entity("kit", weight=-4)]
    assert best(say("kit"), listed, bonus=3.0, guard_character=0.0).text != "kit"


def lag(log_probs: np.ndarray, found: Hypothesis, first: int, last: int) -> float:
    """Of the words first..last, from the alignment."""
    spelled = ["".join(PIECES[t] for t in found.tokens[: k + 1]).replace("▁", " ") for k in range(len(found.tokens))]
    words = [len(text.split()) - 1 if text.strip() else -1 for text in spelled]
    ends = [k for k, word in enumerate(words) if first <= word <= last and PIECES[found.tokens[k]] != "▁"]
    both = [k for k, t in enumerate(found.tokens) if PIECES[t] == "ab▁b" and words[k] == last + 1]
    held = ends + both  # a piece with a border inside may be all there is of a word
    nats, at, until = 0.0, found.frames[min(held)][0], found.frames[max(held)][1]
    for t in range(at, until + 1):
        label = next((found.tokens[k] for k, (a, b) in enumerate(found.frames) if a <= t <= b), BLANK)
        nats += float(log_probs[t].max() - log_probs[t, label])
    return nats


@settings(max_examples=60, deadline=None)
@given(seed=seeds, entities=lists, character=st.sampled_from([0.0, 0.3, 1.0]), per_list=st.sampled_from([0.0, 0.4]))
def test_whatever_is_paid_passes(seed: int, entities: list[Entity], character: float, per_list: float) -> None:
    log_probs = matrix(seed, 10, len(PIECES))
    o = DecodeOptions(beam=6, bonus=2.0, guard_character=character, guard_list=per_list)
    count = len({e.phrase for e in entities})
    for found in decode(PIECES, log_probs, entities, o):
        spans = {w.entity_span for w in found.words if w.entity_span is not None}
        allowed = 0.0
        for first, last in spans:
            phrase = " ".join(w.text for w in found.words[first : last + 1])
            weight = max(e.weight for e in entities if e.phrase == phrase)
            if lag(log_probs, found, first, last) <= character * len(phrase) - per_list * math.log(count) + 1e-6:
                allowed += 2.0 * weight * len(phrase) ** 2 / (len(phrase) + 4.0) if weight > 0 else 0.0
        assert found.bias <= allowed + 1e-5


@settings(max_examples=20, deadline=None)
@given(seed=seeds, entities=lists)
def test_a_guard_that_lets_all_pass_changes_nothing(seed: int, entities: list[Entity]) -> None:
    log_probs = matrix(seed, 12, len(PIECES))
    o = DecodeOptions(beam=5, adaptive=0.3)
    assert decode(PIECES, log_probs, entities, replace(o, guard_character=1e9)) == decode(
        PIECES, log_probs, entities, o
    )


# --- the dial ---


def test_the_dial_scales_the_bonus_and_opens_the_guard() -> None:
    o = DecodeOptions(bonus=1.0, adaptive=0.5, unigram=0.8, guard_character=1.5, guard_list=1.2)
    assert o.dialled() == o
    half, strong = replace(o, bias=0.5).dialled(), replace(o, bias=2.0).dialled()
    assert (half.bonus, half.adaptive, half.unigram, half.guard_character) == (0.5, 0.25, 0.4, 1.5)
    assert (strong.bonus, strong.adaptive, strong.unigram, strong.guard_character) == (2.0, 0.5, 0.8, math.inf)
    more = replace(o, bias=1.5).dialled()
    assert more.bonus == 1.5 and more.guard_character == 3.0 and more.guard_list == pytest.approx(0.6)
    for bias in (-0.1, 2.5, math.nan, True, "1"):
        with pytest.raises(DecoderError, match="bias"):
            DecodeOptions(bias=bias)


def test_at_zero_a_list_changes_no_byte_and_at_two_it_is_strong() -> None:
    tuned = {"bonus": 1.0, "guard_character": 0.3}
    found = [decode(LETTERS, HEARD, ["kyiv"], DecodeOptions(**tuned, bias=bias))[0] for bias in (0.0, 1.0, 2.0)]
    assert [h.text for h in found] == ["in lyiv", "in lyiv", "in kyiv"]
    off = Decoder(LETTERS, blank=0, options=DecodeOptions(**tuned, bias=0.0))
    assert off.decode(HEARD, ["kyiv", Entity("in", weight=-9)]) == off.decode(HEARD, None)


def test_negative_weights_follow_the_dial() -> None:
    for bias, kept in ((0.0, True), (0.5, False), (1.0, False), (2.0, False)):
        found = best(say("kit", k=0.6), [Entity("kit", weight=-3)], bonus=1.0, bias=bias)
        assert (found.text == "kit") == kept


# --- bad input ---


@pytest.mark.filterwarnings("ignore::asrbias.decoder.UnusableEntityWarning")
@pytest.mark.parametrize("bias", [1.0, 2.0])
def test_a_list_in_a_script_that_the_labels_lack_changes_no_byte(bias: float) -> None:
    o = DecodeOptions(guard_character=0.5, guard_list=1.0, bias=bias)
    assert decode(LETTERS, HEARD, ["Київ", "東京"], o) == decode(LETTERS, HEARD, None, o)


def test_no_frames_and_silence_with_a_list_and_a_guard() -> None:
    o = DecodeOptions(bonus=10.0, guard_character=0.5)
    for frames in (0, 5):
        silent = np.full((frames, len(LETTERS)), -30.0)
        silent[:, 0] = 0.0
        found = decode(LETTERS, silent, ["kyiv", "a"], o)
        assert found[0].text == "" and found[0].bias == 0.0


def test_impossible_labels_do_not_pass_the_guard() -> None:
    log_probs = np.full((4, len(LETTERS)), -np.inf)
    log_probs[[0, 2], [LETTERS.index("a"), LETTERS.index("b")]] = 0.0
    log_probs[[1, 3], 0] = 0.0
    found = decode(LETTERS, log_probs, ["ab", "ac"], DecodeOptions(bonus=100.0, guard_character=1.0))
    assert [h.text for h in found] == ["ab"] and found[0].words[0].entity == 0
