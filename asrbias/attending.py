"""The adapter's attention for one utterance on the CPU, in native code: the same as in torch, several times faster.

Torch goes over heads times labels times frames once for every operation; native/attend.cpp goes over them once, and
adds up values only where an entity has enough of a frame's attention. For training, batches and GPUs there is torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asrbias import _core
from asrbias.soundmatch import AROUND

if TYPE_CHECKING:
    from asrbias.adapter import ContextualAdapter, Embedded


def attends_here(query: Tensor) -> bool:
    """Whether `attend` may be used for a query [B, T, A]."""
    one = len(query) == 1 and query.dtype == torch.float32
    return one and query.device.type == "cpu" and not torch.is_grad_enabled()


def attend(
    adapter: ContextualAdapter, query: Tensor, embedded: Embedded, phones: Tensor | None, caution: float, least: float
) -> tuple[Tensor, Tensor]:
    """query [1, T, A], phones [1, T, P] or None -> sum of values [1, T, A], attention [1, T, 1+K]."""
    from asrbias.adapter import EARLY, HIGHEST, USUAL

    config = adapter.config
    _, t, d = query.shape
    h, size = config.heads, d // config.heads
    q = query[0].T * size**-0.5  # [A, T]
    nothing = (adapter.no_bias.view(h, 1, size) @ q.view(h, size, t))[:, 0] + adapter.threshold[:, None]
    matched = phones is not None and embedded.sounds.shape[1] > 0
    none = query.new_zeros(h, 0)
    heard = adapter.match.heard(phones)[0].T if phones is not None and matched else none.T
    written = embedded.sounds if matched else query.new_zeros(len(embedded.keys), 0)
    weights = (adapter.match.nats, adapter.covered) if matched else (none.new_zeros(h), none.new_zeros(h))
    votes = adapter.votes[:, 0] if config.votes else none
    bias, attention = query.new_empty(t, d), query.new_empty(t, 1 + len(embedded))
    _core.attend(
        _array(embedded.keys), _array(q), _array(nothing), _array(written), _array(heard), _array(embedded.values),
        embedded.sizes.numpy(), _array(weights[0]), _array(weights[1]), _array(votes), caution, least,
        HIGHEST, EARLY, USUAL, AROUND, bias.numpy(), attention.numpy(),
    )  # fmt: skip
    return bias[None], attention[None]


def _array(x: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = x.detach().contiguous().numpy()
    return array
