"""CTC models that are not asrbias' own: samples in, posteriors of their labels out.

    recognizer = asrbias.load("hf:facebook/wav2vec2-base-960h")        # foreign_hf.py; a folder too
    recognizer = asrbias.load("torchaudio:WAV2VEC2_ASR_BASE_960H")     # foreign_torchaudio.py
    recognizer = asrbias.load("onnx:DIR")                              # foreign_onnx.py
    recognizer = asrbias.Recognizer(my_callable, labels=["<pad>", "|", "E", ...])

What needs only posteriors works on all of them: the search with a list, the language model, long recordings, streams.
What reads a phone head (pronunciation lookup, verification) reads the phones of what the model spells instead
(spelledphones.py); an adapter is on where one was trained for a torch model and is given. What is decoded with, where
nothing is said of it: foreign_options.py. `Recognizer.describe()` tells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asrbias.audio import Samples
from asrbias.errors import reason
from asrbias.phrases import LabelsError, Spelling, check_labels

if TYPE_CHECKING:
    from torch import Tensor

    from asrbias.adapter import ContextualAdapter
    from asrbias.foreign_torch import TorchInside
    from asrbias.model import Model

BLANKS = ("<blank>", "<blk>", "<pad>", "[PAD]", "<b>", "<eps>", "-", "_", "")  # what blanks are called
KINDS = ("torchaudio", "hf", "onnx")  # prefixes that `load` knows
PROBES = (2.0, 10.0)  # seconds of silence from which a frame's length is measured


class ForeignModelError(ValueError):
    """A model cannot be read, or does not give posteriors; the message says why."""


@dataclass(frozen=True)
class Labels:
    """V labels, of which one is the blank."""

    labels: tuple[str, ...]
    blank: int

    def __len__(self) -> int:
        return len(self.labels)


class ForeignModel:
    """A CTC model behind one function.

    Args:
        forward: samples [S] in -1..1 at `sample_rate` -> [T, V] log probabilities, numpy or torch; logits are
            normalised, which changes nothing where they are normalised already.
        labels: V strings, one a column: characters with " " or "|" between words, or pieces with "▁".
        blank: its position; None: the label that is named like one ("<pad>", "<blank>", "-", ...).
        sample_rate: Hz.
        seconds_per_frame: None: measured on silence.
        name: for messages.
        inside: what an adapter reads of it and writes through; None: nothing. `forward` gives its logits.
    Raises:
        LabelsError: no labels, duplicates, or no blank among them.
        ForeignModelError: `forward` does not give what it must.
    """

    def __init__(
        self,
        forward: Callable[[Samples], Any],
        labels: Sequence[str],
        *,
        blank: int | None = None,
        sample_rate: int = 16_000,
        seconds_per_frame: float | None = None,
        name: str = "the model",
        inside: TorchInside | None = None,
    ) -> None:
        if not callable(forward):
            raise TypeError(f"The model is {type(forward).__name__}; give a function of samples, or a model to load.")
        check_labels(labels, blank)
        self.name, self.sample_rate, self._forward = name, sample_rate, forward
        self.inside = inside
        self.adapter: ContextualAdapter | None = None  # foreign_adapting.use_adapter
        self.vocabulary = Labels(tuple(labels), find_blank(labels) if blank is None else int(blank))
        self.seconds_per_frame = seconds_per_frame or self._measure()
        spelling = Spelling.of(labels, self.vocabulary.blank)
        self._spoken = np.array([bool(label.strip()) for label in spelling.shown])
        # whether what it spells can be pronounced: English letters, and words
        self.spells = spelling.separator is not None and frozenset(ascii_lowercase) <= spelling.charset

    def log_probs(self, samples: Samples) -> npt.NDArray[np.float32]:
        """samples [S] -> natural-log posteriors [T, V]."""
        try:
            given = self._forward(samples)
        except Exception as error:  # whatever somebody else's code raises
            raise self._failed(samples, error) from error
        return self._normalised(given)

    def heard(self, samples: Samples) -> tuple[npt.NDArray[np.float32], tuple[Tensor, ...]]:
        """samples [S] -> the same, and where it has an adapter the hidden states [T, D] that this reads."""
        if self.adapter is None or self.inside is None:
            return self.log_probs(samples), ()
        try:
            given, levels = self.inside.heard(samples)
        except Exception as error:
            raise self._failed(samples, error) from error
        return self._normalised(given), levels

    def _failed(self, samples: Samples, error: Exception) -> ForeignModelError:
        return ForeignModelError(f"{self.name} failed on {len(samples)} samples ({reason(error)}).")

    def _normalised(self, given: Any) -> npt.NDArray[np.float32]:
        """What the function gave -> [T, V], checked."""
        if hasattr(given, "detach"):
            given = given.detach().float().cpu().numpy()
        matrix = np.asarray(given)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.vocabulary) or not np.issubdtype(matrix.dtype, np.floating):
            raise ForeignModelError(
                f"{self.name} gave {matrix.dtype} of shape {matrix.shape}; it must give log probabilities "
                f"[T, {len(self.vocabulary)}], a column a label."
            )
        wide = matrix.astype(np.float64)
        log_probs: npt.NDArray[np.float32] = (wide - np.logaddexp.reduce(wide, 1, keepdims=True)).astype(np.float32)
        return log_probs

    def labelled(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """samples [S] -> [T] whether the likeliest label of a frame is part of a word."""
        there: npt.NDArray[np.bool_] = self._spoken[self.log_probs(samples).argmax(1)]
        return there

    def _measure(self) -> float:
        short, long = (len(self.log_probs(np.zeros(round(s * self.sample_rate), np.float32))) for s in PROBES)
        if long <= short:
            raise ForeignModelError(
                f"{self.name} gave {short} frames for {PROBES[0]:.0f} s and {long} for {PROBES[1]:.0f} s; it must give "
                "more for longer audio: say seconds_per_frame."
            )
        return (PROBES[1] - PROBES[0]) / (long - short)


def find_blank(labels: Sequence[str]) -> int:
    """The position of the label that is named like a blank. Raises LabelsError."""
    for name in BLANKS:
        if name in labels:
            return list(labels).index(name)
    raise LabelsError(
        f"None of the {len(labels)} labels is named like a blank ({', '.join(map(repr, BLANKS))}); say which, as in "
        "blank=0."
    )


def is_foreign(name: Any) -> bool:
    """Whether `load` reads this name as `KIND:WHAT`."""
    return isinstance(name, str) and name.partition(":")[0] in KINDS and ":" in name


def own_model(model: Any) -> Model | None:
    """The same, if it is a model of asrbias' own."""
    if isinstance(model, ForeignModel) or "torch" not in sys.modules:
        return None
    from asrbias.model import Model

    return model if isinstance(model, Model) else None


def foreign(model: Any, labels: Sequence[str] | None, blank: int | None, sample_rate: int) -> ForeignModel:
    """A ForeignModel, or one made of a function."""
    if isinstance(model, ForeignModel):
        return model
    if labels is None:
        raise TypeError(
            "A function is no model without labels; give labels=[...], a string for each column it returns."
        )
    return ForeignModel(model, labels, blank=blank, sample_rate=sample_rate, name="the model")


def load_foreign(name: str, device: str) -> ForeignModel:
    """`KIND:WHAT`, as `asrbias.load` takes it. Raises ForeignModelError."""
    kind, _, what = name.partition(":")
    if not what:
        raise ForeignModelError(f"{name!r} names no model; write it as in {kind}:NAME.")
    if kind == "torchaudio":
        from asrbias.foreign_torchaudio import load_bundle

        return load_bundle(what, device)
    if kind == "hf":
        from asrbias.foreign_hf import load_hf

        return load_hf(what, device)
    from asrbias.foreign_onnx import load_onnx

    return load_onnx(what)
