"""The training objective: CTC of the last layer, of the middle layers and over phones.

(1-w) CTC_last + w mean(CTC_middle) + v CTC_phone  (Lee & Watanabe 2021, with a phone term).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from asrbias.encoder import EncoderOutput
from asrbias.training.data import Batch


@dataclass(frozen=True, kw_only=True)
class ObjectiveOptions:
    middle: float = 0.4  # w, share of the middle layers
    phone: float = 0.3  # v, weight of the phone head


def ctc(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """log_probs [B, T, V], flat targets -> scalar, nats a target label; blank is 0.

    Divided by all labels of the batch at once, so that a short word does not weigh as much as a long sentence. An
    utterance too short for its labels (possible after a speed-up) counts nothing.
    """
    losses = F.ctc_loss(
        log_probs.transpose(0, 1), targets, lengths, target_lengths, reduction="none", zero_infinity=True
    )
    return losses.sum() / target_lengths.sum().clamp(min=1)


def objective(output: EncoderOutput, batch: Batch, options: ObjectiveOptions) -> tuple[Tensor, dict[str, float]]:
    """The scalar to minimise, and its parts (nats a label) for the log."""
    last = ctc(output.log_probs, output.lengths, batch.tokens, batch.token_lengths)
    middle = [ctc(head, output.lengths, batch.tokens, batch.token_lengths) for head in output.middle]
    phone = ctc(output.phones, output.lengths, batch.phones, batch.phone_lengths)
    share = options.middle if middle else 0.0
    total = (1 - share) * last + options.phone * phone
    if middle:
        total = total + share * sum(middle[1:], middle[0]) / len(middle)
    return total, {
        "last": last.item(),
        "middle": sum(x.item() for x in middle) / max(1, len(middle)),
        "phone": phone.item(),
    }
