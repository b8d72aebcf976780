"""What a phone head heard of an utterance, and how well phone sequences fit in somewhere.

    heard = heard_phones(phone_log_probs, background, temperature=0.9, floor=0.06, smoothing=0.01, blunt=0.5)
    fit_runs(heard, sequences, rows, insertion=-4.0, deletion=-4.0)     # [M] nats, in native code (soundfit.cpp)
    fit_frames(heard, sequences, rows, deletion=-4.0)

CTC posteriors are mostly blank. Frames in which some phone has a probability are joined to runs of the same best
phone; a run is what may have been one phone. Its evidence for phone a is log P(a | run) - b log P(a): log odds, so that
scores of sequences may be added and compared, however many phones they have. Runs forgive what was heard too much or
too little; frames tell better what is nearly the same. Their sum is better than either (docs/log.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asrbias.alignment import LogProbsError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]
Places = npt.NDArray[np.int32]
LOWEST = -1e3  # nats; what cannot be, but finite
HIGHEST = 1e-3  # half precision may round a log probability up to a little above 0


@dataclass(frozen=True, eq=False)
class Heard:
    """S runs of frames, each perhaps a phone."""

    odds: Floats  # [S, P - 1] nats: for each phone (blank left out)
    presence: Floats  # [S] probability that a phone is there at all, of the frame where it is highest
    frames: Floats  # [F, P] nats: log probabilities, blunted, less the frame's best; of the frames of the runs

    def __len__(self) -> int:
        return len(self.odds)


def heard_phones(
    log_probs: Floats, background: Floats, *, temperature: float, floor: float, smoothing: float, blunt: float
) -> Heard:
    """What was heard in an utterance.

    Args:
        log_probs: [T, P] natural logarithms, blank 0.
        background: [P - 1] nats that are taken off: each phone's log share, weighted.
        temperature: exponent of the posteriors before they are normalised among the phones.
        floor: probability of a phone (not blank) from which a frame counts.
        smoothing: share of the probability that is spread evenly over the phones.
        blunt: exponent of the posteriors, blank included, in `frames`.
    Raises:
        LogProbsError: log_probs holds NaN, a value above 0, or a frame of -inf alone.
    """
    highest = log_probs.max(axis=1, initial=-np.inf)
    if not (np.isfinite(highest) & (highest <= HIGHEST)).all():
        raise LogProbsError(
            "phone_log_probs holds NaN, a value above 0, or a frame of -inf alone; give log_softmax's output."
        )
    voiced = 1.0 - np.exp(log_probs[:, 0])
    frames = np.flatnonzero(voiced > floor)
    if not len(frames):
        return Heard(np.zeros((0, log_probs.shape[1] - 1), np.float32), np.zeros(0, np.float32), log_probs[:0])
    phones, weight = log_probs[frames, 1:], voiced[frames]
    best = phones.argmax(axis=1)
    starts = np.flatnonzero(np.concatenate([[True], (best[1:] != best[:-1]) | (np.diff(frames) > 1)]))
    shares = np.exp(temperature * (phones - phones.max(axis=1, keepdims=True)))
    shares *= (weight / shares.sum(axis=1))[:, None]
    mean = np.add.reduceat(shares, starts) / np.add.reduceat(weight, starts)[:, None]
    odds = np.log((1.0 - smoothing) * mean + smoothing / mean.shape[1]) - background
    frame = np.float32(blunt) * (log_probs[frames] - highest[frames, None])
    return Heard(odds.astype(np.float32), np.maximum.reduceat(weight, starts).astype(np.float32), frame)


@dataclass(frozen=True, eq=False)
class PhoneSequences:
    """R sequences of phones counted from 0, one after the other."""

    labels: npt.NDArray[np.uint16]  # [K]
    offsets: Places  # [R + 1] where each begins, and K at the end

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Places:
        """[R] phones of each."""
        return np.diff(self.offsets)

    @property
    def nbytes(self) -> int:
        return self.labels.nbytes + self.offsets.nbytes


def fit_runs(
    heard: Heard, sequences: PhoneSequences, rows: Ints | Places, *, insertion: float, deletion: float
) -> Floats:
    """How well each of some sequences fits in anywhere: the best score, nats, to a fiftieth for each phone. [M]

    A score is the sum of the odds of matched runs, of `insertion` times their presence for runs passed over (three at
    most one after the other), and of `deletion` for phones passed over.

    Args:
        rows: [M] which sequences.
        insertion: nats for a run of presence 1 that is passed over, at most 0. deletion: nats a phone, at most 0.
    """
    from asrbias import _core

    scores: Floats = np.empty(len(rows), np.float32)
    chosen = np.ascontiguousarray(rows, np.int32)
    _core.fit_runs(heard.odds, heard.presence, insertion, deletion, sequences.labels, sequences.offsets, chosen, scores)
    return scores


def fit_frames(heard: Heard, sequences: PhoneSequences, rows: Ints | Places, *, deletion: float) -> Floats:
    """How well the best path through the frames fits: what it falls short of their best labels, nats. [M]

    Each frame is the next phone, or the same phone or the blank after it; or a phone is passed over for `deletion`
    (of two passed over one after the other, the second counts a frame later). Two equal phones need no blank between.
    """
    from asrbias import _core

    move = np.ascontiguousarray(heard.frames[:, 1:])
    stay = np.maximum(move, heard.frames[:, :1])
    scores: Floats = np.empty(len(rows), np.float32)
    chosen = np.ascontiguousarray(rows, np.int32)
    _core.fit_sequences(stay, move, 2 * LOWEST, deletion, LOWEST, sequences.labels, sequences.offsets, chosen, scores)
    return scores
