"""CTC forced alignment: at which frames a known label sequence was spoken.

    alignment = align(log_probs, tokens, blank=0)
    alignment.first[2], alignment.last[2]     # frames of the third token, both included

The Viterbi path of Graves et al. 2006 (section 4.1), in the native core (native/alignment.cpp).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


class LogProbsError(ValueError):
    """A matrix of log-probabilities has values or a shape that is not allowed."""


class LogProbsTypeError(TypeError):
    """A matrix of log-probabilities is of a type that is not allowed."""


class AlignmentError(ValueError):
    """These tokens cannot be aligned to these frames."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Where each of S tokens lies, on the most probable path; of equal paths the one that moves on later."""

    first: tuple[int, ...]  # S frames
    last: tuple[int, ...]  # S frames, included
    log_probs: tuple[float, ...]  # S values in nats, each summed over the token's frames
    score: float  # nats, of the whole path, blanks included


def align(log_probs: Any, tokens: Sequence[int], *, blank: int = 0) -> Alignment:
    """The best path of `tokens` (S of them, no blanks) through `log_probs` [T, V], natural logarithms.

    Raises LogProbsError, LogProbsTypeError for a bad matrix; AlignmentError for a token that is none of the V, or when
    T frames are too few: S tokens need S frames, and one more between two equal ones.
    """
    from asrbias import _core

    matrix = as_matrix(log_probs)
    frames, size = matrix.shape
    numbers = [int(token) for token in tokens]
    if not 0 <= blank < size:
        raise AlignmentError(f"blank is {blank}, but log_probs has labels 0..{size - 1}; give the blank's position.")
    for token in numbers:
        if not 0 <= token < size or token == blank:
            raise AlignmentError(
                f"Token {token} cannot be aligned: tokens are 0..{size - 1} without the blank {blank}."
            )
    needed = len(numbers) + sum(a == b for a, b in itertools.pairwise(numbers))
    if frames < needed:
        raise AlignmentError(
            f"{len(numbers)} tokens need {needed} frames (one each, one more between equal ones), but log_probs has "
            f"{frames}; check that the tokens belong to this audio."
        )
    try:
        first, last, values, _, score = _core.align(matrix, numbers, blank)
    except ValueError as error:
        kind = LogProbsError if str(error).startswith("log_probs") else AlignmentError
        raise kind(f"These tokens cannot be aligned: {error}.") from None
    return Alignment(first=tuple(first), last=tuple(last), log_probs=tuple(values), score=score)


def as_matrix(log_probs: Any, size: int | None = None, name: str = "log_probs") -> npt.NDArray[np.float32]:
    """`log_probs` (numpy or torch, any float type) as [T, V] float32, contiguous; a copy only where it must be.

    `size`: the V that is wanted. Raises LogProbsTypeError (no float array), LogProbsError (shape).
    """
    if hasattr(log_probs, "detach"):  # torch, without importing it
        log_probs = log_probs.detach().cpu()
        if str(log_probs.dtype) == "torch.bfloat16":
            log_probs = log_probs.float()
        log_probs = log_probs.numpy()
    array = np.asarray(log_probs)
    if array.dtype.kind != "f":
        raise LogProbsTypeError(
            f"{name} is {type(log_probs).__name__} of {array.dtype}; give floats [T, V] as a numpy array or "
            "torch tensor."
        )
    labels = "V labels" if size is None else f"{size} labels"
    if array.ndim != 2:
        advice = "; for a batch use decode_batch with one matrix per item" if array.ndim == 3 else ""
        raise LogProbsError(f"{name} has shape {array.shape}; it must be [T frames, {labels}]{advice}.")
    if size is not None and array.shape[1] != size:
        turned = " (it seems to be transposed)" if array.shape[0] == size else ""
        raise LogProbsError(f"{name} has shape {array.shape}{turned}; the second axis must be the {size} labels.")
    if array.shape[1] == 0:
        raise LogProbsError(f"{name} has shape {array.shape}; it needs at least one label.")
    if array.dtype == np.float32 and array.flags.c_contiguous:
        return array
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)
