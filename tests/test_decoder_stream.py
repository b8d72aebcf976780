"""Posteriors in chunks give what the whole gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.alignment import LogProbsError
from asrbias.decoder import DecodeOptions, Decoder
from asrbias.lm import LanguageModel
from tests.lm_oracle import model
from tests.plain_search import BLANK, LABELS

PHRASES = ["ab", "b ab", "bab a"]


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return model(tmp_path_factory.mktemp("lm"))


def posteriors(seed: int, frames: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=2.5, size=(frames, len(LABELS)))
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    options=st.builds(
        DecodeOptions,
        beam=st.sampled_from([1, 4, 32]),
        bonus=st.sampled_from([0.0, 2.0]),
        adaptive=st.sampled_from([0.0, 0.5]),
        guard_character=st.sampled_from([float("inf"), 0.5, 2.0]),
        bias=st.sampled_from([0.0, 1.0]),
    ),
    listed=st.booleans(),
    spoken=st.booleans(),
)
def test_chunks_give_what_the_whole_gives(
    lm: LanguageModel, seed: int, sizes: list[int], options: DecodeOptions, listed: bool, spoken: bool
) -> None:
    decoder = Decoder(LABELS, blank=BLANK, lm=lm if spoken else None, options=options)
    log_probs, entities = posteriors(seed, sum(sizes)), PHRASES if listed else None
    with decoder.stream(entities) as stream:
        at = 0
        for size in sizes:
            stream.push(log_probs[at : at + size])
            at += size
        partial = stream.partial
        found = stream.finish()
    assert found == decoder.decode(log_probs, entities)
    if not (listed and options.guard_character < float("inf")):
        assert partial == found[0].text


def test_nothing_pushed_is_nothing_said() -> None:
    stream = Decoder(LABELS, blank=BLANK).stream(PHRASES)
    assert stream.partial == ""
    assert [hypothesis.text for hypothesis in stream.finish()] == [""]


def test_an_ended_stream_and_a_bad_frame_are_said() -> None:
    decoder = Decoder(LABELS, blank=BLANK)
    stream = decoder.stream()
    stream.push(posteriors(1, 3))
    stream.finish()
    for use in (stream.finish, lambda: stream.push(posteriors(1, 1)), lambda: stream.partial):
        with pytest.raises(LogProbsError, match="This stream has ended"):
            use()
    stream = decoder.stream()
    stream.push(posteriors(1, 3))
    bad = posteriors(2, 3)
    bad[1, 2] = np.nan
    with pytest.raises(LogProbsError, match="NaN at frame 4"):
        stream.push(bad)
    with pytest.raises(LogProbsError, match=r"9 labels|\[T, 9\]"):
        decoder.stream().push(np.zeros((3, 4), np.float32))
