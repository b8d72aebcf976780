"""Weights of the evidence (evidence.py), fitted on held-out speech.

Every place where a listed entity may have been said is a claim, right if the entity is the utterance's own. A logistic
regression over the claims gives the weights, in units of the first (the phones'). `nats` is their cross-entropy on
speakers that they were not fitted to: it tells settings apart that change what is weighed, and needs no threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias.evidence import HOPE, LEAST, MOST_ATTENDED, Claim, haste
from asrbias.evidence_options import PACE, EvidenceOptions, threshold

Array = npt.NDArray[np.float64]
# Columns of what a claim is weighed by, and the options that weigh them; evidence.py says what they are.
NAMES = ("phone_weight", "rarity_weight", "pace_weight", "letter_weight", "rival_weight", "subword_weight",
         "context_weight", "heard", "attended_weight", "written")  # fmt: skip
BY_SOUND = 5  # columns that need no look at the subwords
ATTENDED, WRITTEN = NAMES.index("attended_weight"), NAMES.index("written")
FEWEST = 20  # right claims, with fewer of which nothing is fitted


@dataclass(frozen=True, eq=False)
class Weighed:
    """The claims of an utterance."""

    claims: tuple[Claim, ...]
    size: int  # of the list
    inputs: Array  # [claims, NAMES]


@dataclass(frozen=True, eq=False)
class Evidences:
    """All claims that weights are fitted to."""

    inputs: Array  # [claims, NAMES, -log(size), 1]
    right: Array  # [claims] 1 or 0
    fold: npt.NDArray[np.int64]  # [claims] the part of the speakers that it belongs to


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The result of a fit."""

    weights: EvidenceOptions  # the threshold where right and wrong are equally likely
    nats: float  # a thousandth, a claim: cross-entropy on the speakers of the other parts
    claims: int
    right: int


def inputs(claims: Sequence[Claim], size: int) -> Array:
    """[claims, NAMES]; `written` is filled in by `told`."""
    rows = []
    for claim in claims:
        spot = claim.spot
        subwords, context = max(LEAST, claim.subwords), max(LEAST, claim.context)
        rows.append((spot.fit, spot.rarity, -haste(spot, PACE), claim.letters, -claim.rival, subwords, context,
                     float(claim.heard), claim.attended, float(claim.written)))  # fmt: skip
    return np.array(rows, float).reshape(len(rows), len(NAMES))


def told(given: Array, written: npt.NDArray[np.bool_]) -> Array:
    """The inputs with what a search writes."""
    if not written.any():
        return given
    made: Array = given.copy()
    made[:, WRITTEN] = written
    return made


def weigh(given: Array, weights: EvidenceOptions, size: int) -> Array:
    """[claims] the evidence above the threshold, nats; -inf for what evidence.py would not look at."""
    w = np.array([getattr(weights, name) for name in NAMES])
    above = threshold(weights, size)
    least = above - weights.heard - weights.written - HOPE - weights.attended_weight * MOST_ATTENDED
    looked_at = given[:, :BY_SOUND] @ w[:BY_SOUND] >= least
    return np.where(looked_at, given @ w - above, -np.inf)


def fold_of(speakers: Sequence[str], folds: int) -> npt.NDArray[np.int64]:
    """[utterances] speakers dealt out in order of their names, each in one part."""
    return np.asarray(np.unique(speakers, return_inverse=True)[1] % folds, np.int64)


def gather(rows: Sequence[tuple[Weighed, Sequence[bool], int]]) -> Evidences:
    """From utterances: the claims, which of them are right, and the utterance's part."""
    some = [one.inputs for one, _, _ in rows]
    ends = [np.repeat([[-math.log(one.size), 1.0]], len(one.claims), axis=0) for one, _, _ in rows if one.claims]
    made = np.concatenate(some) if some else np.zeros((0, len(NAMES)))
    tail = np.concatenate(ends) if ends else np.zeros((0, 2))
    right = np.array([value for _, rights, _ in rows for value in rights], float)
    fold = np.array([fold for one, _, fold in rows for _ in one.claims], np.int64)
    return Evidences(np.hstack([made, tail]), right, fold)


def fit(found: Evidences, start: EvidenceOptions, *, anew: bool = False) -> Fitted | None:
    """Weights in place of those of `start`; None where there are too few right claims for it.

    Where those of `start` say more of other speakers than what is fitted, as of little speech they do, they stay, with
    another threshold; not so with `anew`, which is for weights that were fitted to the same speech.
    """
    if found.right.sum() < FEWEST or len(np.unique(found.fold)) < 2:
        return None
    as_it_was = _summed(found, start)
    nats, nats_before = held_out_nats(found), held_out_nats(as_it_was)
    every = np.ones(len(found.right), bool)
    if nats_before < nats and not anew:
        slope, offset = _regressed(as_it_was, every)[[0, -1]]
        weights = replace(start, threshold=round(float(-offset / slope), 3) if slope > 0 else start.threshold)
    else:
        weights = _options(found, every, start)
    return Fitted(
        weights=weights, nats=nats if anew else min(nats, nats_before), claims=len(every), right=int(found.right.sum())
    )


def held_out_nats(found: Evidences) -> float:
    """A thousandth, a claim: cross-entropy of what is fitted to the other parts."""
    held_out = np.empty(len(found.right))
    for fold in np.unique(found.fold):
        some = found.fold != fold
        held_out[~some] = found.inputs[~some] @ _regressed(found, some)
    return 1000 * float(np.logaddexp(0, np.where(found.right > 0, -held_out, held_out)).mean())


def without(found: Evidences, fold: int) -> Evidences:
    """The claims of all speakers but those of one part."""
    some = found.fold != fold
    return Evidences(found.inputs[some], found.right[some], found.fold[some])


def _summed(found: Evidences, weights: EvidenceOptions) -> Evidences:
    """With one input, the evidence by these weights; and 1."""
    w = np.array([*(getattr(weights, name) for name in NAMES), weights.growth])
    total = found.inputs[:, :-1] @ w
    return Evidences(np.stack([total, np.zeros(len(total)), np.ones(len(total))], axis=1), found.right, found.fold)


def _options(found: Evidences, some: npt.NDArray[np.bool_], start: EvidenceOptions) -> EvidenceOptions:
    """In units of the phones' weight, if they have any. Lists of one length cannot tell how the threshold grows."""
    weights = _regressed(found, some)
    weights = weights / (weights[0] or 1.0)
    given: dict[str, Any] = {name: round(float(w), 3) for name, w in zip((*NAMES, "growth"), weights, strict=False)}
    threshold = -float(weights[-1])
    if _alike(found):
        given["growth"] = start.growth
        threshold += start.growth * float(found.inputs[0, -2])
    return replace(start, threshold=round(threshold, 3), **given)


def _alike(found: Evidences) -> bool:
    """Whether the lists are of much the same length."""
    return bool(np.ptp(found.inputs[:, -2]) < 1.0)


def _regressed(found: Evidences, some: npt.NDArray[np.bool_]) -> Array:
    """Weights of all columns of the inputs, for the claims of a mask; none below 0 but the last."""
    used = np.ptp(found.inputs[some], axis=0) > 0
    used[-2] &= not _alike(found)
    used[-1] = True
    weights = np.zeros(found.inputs.shape[1])
    while True:
        weights[used] = regress(found.inputs[some][:, used], found.right[some])
        wrong = used & (weights < 0)
        wrong[-1] = False
        if not wrong.any():
            return weights
        used[int(np.argmin(np.where(wrong, weights * found.inputs[some].std(0), 0.0)))] = False
        weights[:] = 0.0


def regress(x: Array, y: Array) -> Array:
    """Logistic regression by Newton's method, with a little ridge; the last column of x is 1. [claims, F] -> [F]"""
    scale = x.std(0) + (x.std(0) == 0)
    x, weights = x / scale, np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (p - y) + weights
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.eye(len(weights)), slope)
        weights -= step
        if abs(step).max() < 1e-6:
            break
    return np.asarray(weights / scale)
