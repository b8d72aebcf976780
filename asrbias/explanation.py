"""What a list did to one recording: readings without and with it, attention to entities, posteriors before and after.

    explanation = explain(recognizer, "call.wav", ["Zelenskyy", "Kyiv"])
    explanation.to_json()["attention"]["entities"][0]      # the entity that was attended to most: when, and how much

`asrbias explain` draws it (explain_html.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias.transcript import Transcript, word_as_dict

Floats = npt.NDArray[np.float32]
SPECTRUM_STEP = 0.01  # seconds a frame of the spectrogram
ENTITIES = 12  # entities named in a summary, or drawn in a strip
LEAST_WEIGHT = 0.01  # attention below which an entity is not named
ATTENDED = 0.1  # attention from which a frame counts as one in which the entity was attended to
CHANGES = 20  # changed frames named in a summary
LEAST_CHANGE = 0.05  # of a probability, below which a frame is not named
ROUNDING = 1e-3  # of a probability, up to which posteriors are the same
SLACK = 0.5  # seconds by which frames and audio may differ in length: more is a mistake in seconds_per_frame


class ExplanationError(ValueError):
    """The parts of an explanation do not fit together."""


@dataclass(frozen=True)
class Change:
    """What the adapter did to the posterior of one frame."""

    frame: int
    label: int  # the best label with the adapter
    before: float  # its probability without the adapter
    after: float  # and with it
    was: int  # the best label without the adapter
    was_before: float  # its probability without the adapter
    was_after: float  # and with it


@dataclass(frozen=True, eq=False)
class Explanation:
    """One recording of T frames of 40 ms and F frames of 10 ms; K entities, V labels, M bands.

    Raises ExplanationError where shapes or values do not fit together.
    """

    transcript: Transcript  # with the list
    plain: Transcript  # without it
    spectrogram: Floats  # [F, M] log-mel, 10 ms a frame
    entities: tuple[str, ...]  # display names, K of them
    attention: Floats | None  # [T, K+1] weights 0..1, column 0 is <no-bias>; None where the model has no adapter
    log_probs: Floats  # [T, V] natural logarithms, what was decoded
    base_log_probs: Floats  # [T, V] natural logarithms, without the adapter
    labels: tuple[str, ...]  # V subwords, the blank first
    seconds_per_frame: float  # of the T frames
    duration: float  # seconds of audio
    listed: int | None = None  # entities of the list, where more than K (a shortlist was attended to); None: K

    def __post_init__(self) -> None:
        for name in ("spectrogram", "log_probs", "base_log_probs", "attention"):
            if getattr(self, name) is not None:
                _check_matrix(name, getattr(self, name))
        frames, size = self.log_probs.shape
        if self.base_log_probs.shape != self.log_probs.shape:
            raise ExplanationError(
                f"log_probs is {self.log_probs.shape} but base_log_probs {self.base_log_probs.shape}; "
                "both are [T, V] of the same recording."
            )
        if len(self.labels) != size:
            raise ExplanationError(f"There are {len(self.labels)} labels but log_probs has {size}; give one for each.")
        if self.listed is not None and self.listed < len(self.entities):
            raise ExplanationError(f"listed is {self.listed}, fewer than the {len(self.entities)} entities; give all.")
        for name in ("seconds_per_frame", "duration"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ExplanationError(f"{name} is {value!r}; it must be a number of seconds above 0.")
        if self.attention is not None:
            self._check_attention(self.attention, frames)
        steps = {"log_probs": self.seconds_per_frame, "spectrogram": SPECTRUM_STEP}
        for name, step in steps.items():
            count = len(getattr(self, name))
            if abs(count * step - self.duration) > SLACK:
                raise ExplanationError(
                    f"{name} has {count} frames of {step:g} s, {count * step:.2f} s in all, but the audio is "
                    f"{self.duration:.2f} s long; give the frames of this recording and their length."
                )

    def _check_attention(self, attention: Floats, frames: int) -> None:
        wanted = (frames, len(self.entities) + 1)
        if attention.shape != wanted:
            raise ExplanationError(
                f"attention is {attention.shape}, but {frames} frames and {len(self.entities)} entities need {wanted}: "
                "a column for <no-bias>, then one an entity."
            )
        if attention.min() < 0 or attention.sum(1).max() > 1.01:
            raise ExplanationError("Attention weights must be 0 or more and add up to at most 1 in each frame.")

    @property
    def list_size(self) -> int:
        """Entities of the list, attended to or not."""
        return len(self.entities) if self.listed is None else self.listed

    @cached_property
    def adapted(self) -> bool:
        """Whether an adapter changed the posteriors, rounding apart."""
        return bool(np.abs(np.exp(self.log_probs) - np.exp(self.base_log_probs)).max() > ROUNDING)

    def top(self, first: int = 0, last: int | None = None, count: int = ENTITIES) -> list[int]:
        """The entities (0..K-1) with the largest weights in frames first..last-1, largest first, `count` at most.

        Entities below LEAST_WEIGHT everywhere are left out; of equal ones the one listed first goes first.
        """
        if self.attention is None or not self.entities:
            return []
        peaks = self.attention[first:last, 1:].max(0)
        order = np.argsort(-peaks, kind="stable")[:count]
        return [int(k) for k in order if peaks[k] >= LEAST_WEIGHT]

    def changes(self, first: int = 0, last: int | None = None, count: int = CHANGES) -> list[Change]:
        """Of frames first..last-1 those where the best label's probability changed most, the largest change first.

        Frames that changed by less than LEAST_CHANGE are left out.
        """
        after, before = self.log_probs[first:last], self.base_log_probs[first:last]
        best, was = after.argmax(1)[:, None], before.argmax(1)[:, None]
        moved = np.abs(_probability(after, best) - _probability(before, best))
        order = np.argsort(-moved, kind="stable")[:count]
        return [
            Change(
                frame=first + int(t),
                label=int(best[t, 0]),
                before=float(_probability(before, best)[t]),
                after=float(_probability(after, best)[t]),
                was=int(was[t, 0]),
                was_before=float(_probability(before, was)[t]),
                was_after=float(_probability(after, was)[t]),
            )
            for t in order
            if moved[t] >= LEAST_CHANGE
        ]

    def attended(self, frame: int) -> tuple[str, float] | None:
        """The entity with the largest weight in a frame, and that weight; None below LEAST_WEIGHT."""
        best = self.top(frame, frame + 1, 1)
        if self.attention is None or not best:
            return None
        return self.entities[best[0]], float(self.attention[frame, best[0] + 1])

    def to_json(self, first: int = 0, last: int | None = None) -> dict[str, Any]:
        """A small summary for JSON of frames first..last-1: words, entities attended to, changed posteriors.

        Times are in seconds, from the start of the audio; `words` and `plain_words` are always all of them.
        """
        return {
            "text": self.transcript.text,
            "plain": self.plain.text,
            "duration": round(self.duration, 3),
            "words": [word_as_dict(word) for word in self.transcript.words],
            "plain_words": [word_as_dict(word) for word in self.plain.words],
            "listed": self.list_size,
            "attention": self._attention_json(first, last),
            "changes": [self._change_json(change) for change in self.changes(first, last)],
        }

    def _attention_json(self, first: int, last: int | None) -> dict[str, Any] | None:
        if self.attention is None:
            return None
        rows = []
        for k in self.top(first, last):
            weights = self.attention[first:last, k + 1]
            peak = int(weights.argmax())
            rows.append({
                "entity": self.entities[k],
                "position": k,
                "largest": round(float(weights[peak]), 4),
                "time": self.seconds(first + peak),
                "share": round(float(weights.mean()), 4),
                "frames": [[a + first, b + first] for a, b in _runs(weights >= ATTENDED)],
            })  # fmt: skip
        return {"no_bias": round(float(self.attention[first:last, 0].mean()), 4), "entities": rows}

    def _change_json(self, change: Change) -> dict[str, Any]:
        entity = self.attended(change.frame)
        return {
            "frame": change.frame,
            "time": self.seconds(change.frame),
            "label": self.labels[change.label],
            "before": round(change.before, 4),
            "after": round(change.after, 4),
            "was": self.labels[change.was],
            "was_before": round(change.was_before, 4),
            "was_after": round(change.was_after, 4),
            "entity": entity[0] if entity else None,
            "weight": round(entity[1], 4) if entity else None,
        }

    def seconds(self, frame: int) -> float:
        """The time at which a frame begins, to the millisecond."""
        return round(frame * self.seconds_per_frame, 3)


def _check_matrix(name: str, matrix: Any) -> None:
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or not matrix.size:
        shape = f"has shape {matrix.shape}" if isinstance(matrix, np.ndarray) else f"is {type(matrix).__name__}"
        raise ExplanationError(f"{name} {shape}; it must be a numpy matrix of at least one frame.")
    logarithms = name.endswith("log_probs")  # of which minus infinity is a probability of 0
    if not (np.isfinite(matrix) | (logarithms & np.isneginf(matrix))).all():
        raise ExplanationError(f"{name} has values that are NaN or infinite; give finite ones.")
    if logarithms and matrix.max() > 0.01:
        raise ExplanationError(f"{name} reaches {matrix.max():.3g}; logarithms of probabilities are 0 or less.")


def _probability(log_probs: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """[T, V] natural logarithms, a label a frame [T, 1] -> probabilities [T]."""
    chosen: Floats = np.exp(np.take_along_axis(log_probs, labels, 1)[:, 0])
    return chosen.clip(max=1.0)


def _runs(chosen: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last frame, both included, of each run of chosen frames [T]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
