"""Forced alignment, against a Viterbi in numpy and by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrbias.alignment import AlignmentError, LogProbsError, LogProbsTypeError, align


def matrix(seed: int, frames: int, size: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=2.0, size=(frames, size))
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def reference(log_probs: np.ndarray, tokens: list[int], blank: int) -> tuple[list[int], float]:
    """States of the best path (blank-interleaved) and its score: Viterbi, written for reading."""
    states = [blank]
    for token in tokens:
        states += [token, blank]
    scores = np.full((len(log_probs), len(states)), -np.inf)
    came = np.zeros(scores.shape, int)
    for t, row in enumerate(log_probs.astype(np.float64)):
        for s, label in enumerate(states):
            if t == 0:
                scores[t, s] = row[label] if s < 2 else -np.inf
                continue
            options = [s, s - 1] if s else [s]
            if s > 1 and label not in (blank, states[s - 2]):
                options.append(s - 2)
            came[t, s] = max(options, key=lambda o: scores[t - 1, o])
            scores[t, s] = scores[t - 1, came[t, s]] + row[label]
    ends = [len(states) - 1, len(states) - 2] if tokens else [0]
    state = max(ends, key=lambda s: scores[-1, s])
    path = [state]
    for t in range(len(log_probs) - 1, 0, -1):
        path.append(int(came[t, path[-1]]))
    return path[::-1], float(scores[-1, state])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 3), max_size=5), st.integers(0, 8), st.integers(0, 4))
def test_equals_a_reference_viterbi(seed: int, tokens: list[int], spare: int, blank: int) -> None:
    tokens = [token + (token >= blank) for token in tokens]
    frames = max(1, len(tokens) + sum(a == b for a, b in itertools.pairwise(tokens)) + spare)
    log_probs = matrix(seed, frames, 5)
    path, score = reference(log_probs, tokens, blank)
    found = align(log_probs, tokens, blank=blank)
    assert found.score == pytest.approx(score, abs=1e-9)
    for i, token in enumerate(tokens):
        at = [t for t, state in enumerate(path) if state == 2 * i + 1]
        assert (found.first[i], found.last[i]) == (at[0], at[-1])
        assert found.log_probs[i] == pytest.approx(sum(float(log_probs[t, token]) for t in at), abs=1e-9)


def test_long_audio_is_aligned_in_blocks() -> None:
    tokens = [1, 2, 2, 3] * 40
    log_probs = matrix(7, 2100, 4)
    path, score = reference(log_probs, tokens, 0)
    found = align(log_probs, tokens)
    assert found.score == pytest.approx(score)
    assert found.first == tuple(path.index(2 * i + 1) for i in range(len(tokens)))


def test_no_tokens() -> None:
    log_probs = matrix(1, 4, 3)
    assert align(log_probs, []).score == pytest.approx(float(log_probs[:, 0].sum()))
    assert align(np.zeros((0, 3), np.float32), []).score == 0.0


def test_too_few_frames_says_how_many() -> None:
    with pytest.raises(AlignmentError, match="3 tokens need 4 frames"):
        align(matrix(0, 3, 4), [1, 1, 2])


@pytest.mark.parametrize("token", [0, -1, 4])
def test_a_token_that_is_none(token: int) -> None:
    with pytest.raises(AlignmentError, match=f"Token {token}"):
        align(matrix(0, 5, 4), [1, token])


def test_impossible_path() -> None:
    log_probs = matrix(0, 3, 3)
    log_probs[:, 2] = -np.inf
    with pytest.raises(AlignmentError, match="no path"):
        align(log_probs, [2])


def test_bad_matrices() -> None:
    with pytest.raises(LogProbsTypeError, match="int64"):
        align(np.zeros((3, 4), np.int64), [1])
    with pytest.raises(LogProbsError, match="NaN at frame 0"):
        align(np.full((3, 4), np.nan), [1])
    with pytest.raises(LogProbsError, match="shape"):
        align(np.zeros(3), [1])
    with pytest.raises(AlignmentError, match="blank"):
        align(matrix(0, 3, 4), [1], blank=4)
