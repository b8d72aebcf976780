"""The training objective: CTC of the last layer, of the middle layers and over phones.

(1-w) CTC_last + w mean(CTC_middle) + v CTC_phone  (Lee & Watanabe 2021, with a phone term, which is shared out in the
same way between the phone head's layer and those below it that have one).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from asrbias.encoder import EncoderOutput
from asrbias.training.data import Batch
from asrbias.training.text import TextBatch


@dataclass(frozen=True, kw_only=True)
class ObjectiveOptions:
    middle: float = 0.4  # w, share of the middle layers
    phone: float = 0.3  # v, weight of the phone head
    subword: float = 1.0  # weight of all subword heads; 0: only the layers up to the phone head are run and trained


def ctc(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, *, blank: int = 0) -> Tensor:
    """log_probs [B, T, V], flat targets -> scalar, nats a target label.

    Divided by all labels of the batch at once, so that a short word does not weigh as much as a long sentence. An
    utterance too short for its labels (possible after a speed-up) counts nothing.
    """
    losses = F.ctc_loss(
        log_probs.transpose(0, 1), targets, lengths, target_lengths, blank, reduction="none", zero_infinity=True
    )
    return losses.sum() / target_lengths.sum().clamp(min=1)


def objective(output: EncoderOutput, batch: Batch, options: ObjectiveOptions) -> tuple[Tensor, dict[str, float]]:
    """The scalar to minimise, and its parts (nats a label) for the log."""
    phone, low = _shared(output.phones, output.phone_middle, output.lengths, batch.phones, batch.phone_lengths, options)
    total = options.phone * phone
    parts = {"phone": low[-1]}
    if options.subword:
        tokens, sizes = batch.tokens, batch.token_lengths
        subword, high = _shared(output.log_probs, output.middle, output.lengths, tokens, sizes, options)
        total = total + options.subword * subword
        parts |= {"last": high[-1], "middle": sum(high[:-1]) / max(1, len(high) - 1)}
    return total, parts


def text_objective(
    output: EncoderOutput, batch: TextBatch, options: ObjectiveOptions
) -> tuple[Tensor, dict[str, float]]:
    """The same of the subword heads alone, for sentences without speech."""
    targets = (batch.tokens, batch.token_lengths)
    total, losses = _shared(output.log_probs, output.middle, output.lengths, *targets, options)
    return total, {"text": losses[-1]}


def _shared(
    last: Tensor, middle: tuple[Tensor, ...], lengths: Tensor, targets: Tensor, sizes: Tensor, options: ObjectiveOptions
) -> tuple[Tensor, list[float]]:
    """(1-w) of the last head's loss and w of the mean of the middle ones', and each loss, the last head's last."""
    losses = [ctc(head, lengths, targets, sizes) for head in (*middle, last)]
    total = losses[-1]
    if middle:
        total = (1 - options.middle) * total + options.middle * sum(losses[1:-1], losses[0]) / len(middle)
    return total, [loss.item() for loss in losses]
