"""CTC over one label sequence, written for reading: the recursions of Graves et al. 2006, section 4.1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Plus = Callable[[float, float], float]


def total(log_probs: npt.NDArray[np.float32], labels: Sequence[int], blank: int = 0) -> float:
    """Log of the summed probability of all alignments of `labels` to log_probs [T, V]."""
    return _run(log_probs, labels, blank, lambda a, b: float(np.logaddexp(a, b)))


def best(log_probs: npt.NDArray[np.float32], labels: Sequence[int], blank: int = 0) -> float:
    """Log probability of the best alignment (Viterbi)."""
    return _run(log_probs, labels, blank, max)


def _run(log_probs: npt.NDArray[np.float32], labels: Sequence[int], blank: int, plus: Plus) -> float:
    states = [blank]
    for label in labels:
        states += [label, blank]
    values = [0.0] + [-math.inf] * (len(states) - 1)  # before the first frame: at the first blank
    for t, row in enumerate(log_probs.astype(np.float64)):
        now = []
        for s, state in enumerate(states):
            value = values[s]
            if s > 0 and (t > 0 or s == 1):
                value = plus(value, values[s - 1])
            if s > 1 and t > 0 and state not in (blank, states[s - 2]):
                value = plus(value, values[s - 2])
            now.append(value + float(row[state]))
        values = now
    return values[-1] if len(states) == 1 else plus(values[-1], values[-2])
