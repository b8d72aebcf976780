"""Samples -> what a model's heads say of them, a batch of recordings at a time.

On a GPU nothing here waits for the device: samples go there from pinned memory, posteriors come back into pinned
memory, and it is reading an EncodedBatch that waits for its own copy, whatever was put in the queue after it. So one
thread can keep the device busy while others decode what it gave. All of [T, V] comes back, not the best labels of each
frame: the search, the alignments and the evidence may ask for any label (docs/transcribe.md has what the copy costs).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from asrbias.audio import AudioError, Samples
from asrbias.foreign import ForeignModel

if TYPE_CHECKING:
    import torch

    from asrbias.encoder import EncoderOutput
    from asrbias.model import Model


@dataclass(frozen=True, eq=False)
class Posteriors:
    """What a model says of one recording, 40 ms a frame."""

    log_probs: npt.NDArray[np.float32]  # [T, V] natural logarithms, of the labels
    phones: npt.NDArray[np.float32] | None  # [T, P] natural logarithms, of the phones; None: the model has no such head
    hidden: tuple[torch.Tensor, ...] = ()  # [T, D] each, what an adapter reads; () where there is none in use


SHAPES = "64"  # that torch's convolutions on a CPU are kept ready for, some five a shape of batch
# By default it is 1024. Batches hardly ever have the same shape twice, and what is kept of each made a process grow by
# 300 MB in the first hour of a recording. It is read when the first convolution is run; who set it is obeyed.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", SHAPES)


class EncodedBatch:
    """B recordings, in the order in which they were given. May be read from any thread.

    Args:
        log_probs, phones: [B, T, V] and [B, T, P] in the host's memory; frames: [B].
        hidden: [B, T, D] each, on the model's device.
        ready: when the copies to the host are complete; None: they are.
    """

    def __init__(
        self,
        log_probs: torch.Tensor,
        phones: torch.Tensor,
        hidden: tuple[torch.Tensor, ...],
        frames: torch.Tensor,
        ready: torch.cuda.Event | None = None,
    ) -> None:
        self._heads, self._hidden, self._frames, self._ready = (log_probs, phones), hidden, frames, ready

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, row: int) -> Posteriors:
        if self._ready is not None:
            self._ready.synchronize()
        frames = int(self._frames[row])
        log_probs, phones = (np.ascontiguousarray(head[row, :frames].numpy()) for head in self._heads)
        return Posteriors(log_probs, phones, tuple(level[row, :frames] for level in self._hidden))


def encode(
    model: Model, waves: Sequence[Samples], device: torch.device, *, adapted: bool, half: bool
) -> EncodedBatch:
    """One batch.

    Args:
        waves: samples [S] each, at the model's rate.
        adapted: with what an adapter reads.
        half: the encoder in bfloat16; features, and from the heads' softmax on everything, are float32.
    """
    import torch

    on_gpu = device.type == "cuda"
    longest = max(map(len, waves))
    audio = torch.zeros(len(waves), longest, pin_memory=on_gpu)
    for row, wave in enumerate(waves):
        audio[row, : len(wave)] = torch.from_numpy(wave)
    lengths = torch.tensor([len(wave) for wave in waves], pin_memory=on_gpu)
    with torch.inference_mode():
        features = model.features(audio.to(device, non_blocking=on_gpu), lengths.to(device, non_blocking=on_gpu))
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            output: EncoderOutput = model.encoder(*features)
        hidden = _levels(model, output) if adapted else ()
        host = [_to_host(x) for x in (output.log_probs.float(), output.phones.float(), output.lengths)]
    ready = None
    if on_gpu:
        ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
        ready.record(torch.cuda.current_stream(device))
    return EncodedBatch(host[0], host[1], hidden, host[2], ready)


def _levels(model: Model, output: EncoderOutput) -> tuple[torch.Tensor, ...]:
    from asrbias.adapter import levels

    return levels(model.encoder, output)


def _to_host(x: torch.Tensor) -> torch.Tensor:
    """The same in the host's memory; from a GPU it is on its way there."""
    if x.device.type == "cpu":
        return x
    import torch

    return torch.empty(x.shape, dtype=x.dtype, pin_memory=True).copy_(x, non_blocking=True)


def by_length(lengths: Sequence[int], limit: float) -> list[list[int]]:
    """Indices grouped so that little is padded: at most `limit` samples a group, padding included, or one recording."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if groups and lengths[index] * (len(groups[-1]) + 1) <= limit:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


class ForeignBatch:
    """Of a model that is asrbias' own in no way: it is asked for one recording at a time."""

    def __init__(self, model: ForeignModel, waves: Sequence[Samples]) -> None:
        self._found = [Posteriors(log_probs, None, hidden) for log_probs, hidden in map(model.heard, waves)]

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, row: int) -> Posteriors:
        return self._found[row]


def check_waves(waves: Sequence[Samples]) -> None:
    """Raises AudioError for what are no samples [S]."""
    for wave in waves:
        if not isinstance(wave, np.ndarray) or wave.ndim != 1:
            raise AudioError(f"Samples are {type(wave).__name__}; give arrays [S] of Recognizer.samples.")
