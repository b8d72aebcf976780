"""A torch CTC model of others, opened: what a contextual adapter reads of it, and the head that it writes through.

    inside = TorchInside(module, logits, "hf:DIR")
    logits, levels = inside.heard(samples)          # [T, V]; the middle layer and the last, [T, D] each
    inside.head(levels[-1][None])                   # the same logits, [1, T, V]

Nothing of the model is changed: hooks on its head and on its middle layer look on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrbias.audio import Samples
from asrbias.foreign import ForeignModelError

HEADS = ("lm_head", "ctc_head", "aux")  # what the last layer of CTC models is called
LAYERS = ("encoder.layers", "encoder.layer", "transformer.layers")  # how the names of their stacks end
ALIKE = 1e-3  # nats: the head must give what the model gives


class TorchInside:
    """Safe to use from several threads.

    Args:
        module: the model.
        logits: samples [S] -> its output [T, V] by `module`; it may leave out frames at the end.
        name: for messages.
    """

    def __init__(self, module: nn.Module, logits: Callable[[Samples], Tensor], name: str) -> None:
        self.module, self.name, self._logits = module, name, logits
        named = dict(module.named_modules())
        heads = [part for key, part in named.items() if key.rpartition(".")[2] in HEADS]
        self._head: nn.Module | None = heads[0] if heads else None
        stacks = [part for key, part in named.items() if key.endswith(LAYERS) and isinstance(part, nn.ModuleList)]
        layers = max(stacks, key=len, default=nn.ModuleList())
        self._seen = threading.local()
        if self._head is not None:
            self._head.register_forward_pre_hook(lambda _, given: self._keep("last", given[0]))
        if len(layers) > 1:
            layers[len(layers) // 2 - 1].register_forward_hook(lambda _, given, made: self._keep("middle", made))

    def _keep(self, name: str, state: Any) -> None:
        if getattr(self._seen, "on", False):
            setattr(self._seen, name, (state[0] if isinstance(state, tuple) else state)[0])

    @property
    def head(self) -> nn.Module:
        """[B, T, D] -> logits [B, T, V]. Raises ForeignModelError where the model has none that is known."""
        if self._head is None:
            raise ForeignModelError(
                f"{self.name} has no layer named {', '.join(HEADS)}, through which an adapter could write."
            )
        return self._head

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    def heard(self, samples: Samples) -> tuple[Tensor, tuple[Tensor, ...]]:
        """samples [S] -> logits [T, V] and the hidden states [T, D] that an adapter reads, the last layer at the end.

        The middle layer is among them where it is as wide as the last; where it has other frames they are repeated or
        left out.
        """
        self._seen.last = self._seen.middle = None
        self._seen.on = True
        try:
            with torch.no_grad():
                logits = self._logits(samples)
            last, middle = self._seen.last, self._seen.middle
        finally:
            self._seen.on = False
            self._seen.last = self._seen.middle = None
        if last is None:
            return logits, ()
        found = [last]
        if middle is not None and middle.shape[1] == last.shape[1]:
            fitted = middle if len(middle) == len(last) else F.interpolate(middle.T[None], len(last))[0].T
            found = [fitted, last]
        return logits, tuple(level[: len(logits)].float() for level in found)

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """The width D of the last layer, and how many levels an adapter reads.

        Raises ForeignModelError where what the head makes of the last layer is not what the model gives.
        """
        head, noise = self.head, np.random.default_rng(0).normal(scale=0.1, size=16_000).astype(np.float32)
        logits, levels = self.heard(noise)
        with torch.no_grad():
            made = head(levels[-1][None])[0].float() if levels else logits
        same = made.shape == logits.shape and bool(
            (made.log_softmax(-1) - logits.float().log_softmax(-1)).abs().max() < ALIKE
        )
        if not levels or not same:
            raise ForeignModelError(
                f"{self.name} does something after its head {type(head).__name__}, and so no adapter can write "
                "through it."
            )
        return levels[-1].shape[1], len(levels)
