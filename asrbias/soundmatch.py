"""How well what is heard around a frame fits the phones around a label of an entity: a score before anything is learnt.

Both sides are described alike, by 3P numbers: which phone is here, and which are before and after it, those further
away counting less. CTC says a phone in about one frame and blank in between, so that sums of posteriors over frames are
counts of phones. The fit is the product of both descriptions, after what is heard went through a table of which phones
are heard for which (learnt; the identity at first).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FRAMES = 10  # of 40 ms, on either side
FADE_FRAME = 0.8  # what a frame further away counts
LABELS = 4  # on either side
FADE_LABEL = 0.6  # what a phone further away counts: phones are some 2.2 frames apart
HERE = (0.5, 1.0, 0.5)  # the frame itself and its neighbours
AROUND = 100  # frames in which the phones of one entity are looked for, with as many before and after
NATS = 6.0  # for a phone that fits, at first


def written(phones: Tensor, count: int) -> Tensor:
    """phones [K, J] labels 1..P-1 (others: none) -> [K, J, 3P] the phone in each place, those before, those after."""
    there = (phones > 0).float()[..., None] * F.one_hot(phones.clamp(min=0), count)
    before, after = torch.zeros_like(there), torch.zeros_like(there)
    for further in range(1, min(LABELS, phones.shape[1] - 1) + 1):
        fade = FADE_LABEL**further
        before[:, further:] += fade * there[:, :-further]
        after[:, :-further] += fade * there[:, further:]
    here = (phones > 0).float()[..., None]
    return torch.cat([there, before * here, after * here], -1)


class SoundMatch(nn.Module):
    """Scores [B, H, N, T] of frames and labels, each head with a weight of its own.

    Args:
        phones: P, blank included, which is label 0 and counts nothing.
        heads: H.
    """

    def __init__(self, phones: int, heads: int) -> None:
        super().__init__()
        self.heard_for = nn.Parameter(torch.eye(phones))
        self.nats = nn.Parameter(torch.full((heads,), NATS))
        fade = FADE_FRAME ** torch.arange(FRAMES, dtype=torch.float32)
        windows = torch.zeros(3, 2 * FRAMES + 1)
        windows[0, FRAMES - 1 : FRAMES + 2] = torch.tensor(HERE)
        windows[1, :FRAMES] = fade.flip(0)
        windows[2, FRAMES + 1 :] = fade
        self.windows = nn.Parameter(windows)

    def heard(self, phones: Tensor) -> Tensor:
        """phones [B, T, P] natural logarithms -> [B, T, 3P]."""
        b, t, p = phones.shape
        shares = torch.cat([torch.zeros_like(phones[..., :1]), phones[..., 1:].exp()], -1) @ self.heard_for
        flat = shares.transpose(1, 2).reshape(b * p, 1, t)
        counts = F.conv1d(flat, self.windows[:, None].to(flat.dtype), padding=FRAMES)
        return counts.view(b, p, 3, t).permute(0, 3, 2, 1).reshape(b, t, 3 * p)

    def fit(self, phones: Tensor, sounds: Tensor) -> Tensor:
        """phones [B, T, P] natural logarithms, sounds [N, 3P] of `written` -> [B, N, T], 1 or more where they agree."""
        return sounds.to(phones.dtype) @ self.heard(phones).transpose(1, 2)

    def forward(self, fit: Tensor) -> Tensor:
        """fit [B, N, T] -> [B, H, N, T] nats."""
        return fit[:, None] * self.nats[:, None, None]


def coverage(fit: Tensor, sounds: Tensor, owner: Tensor, count: int) -> Tensor:
    """How much of each entity was heard at all around a frame: the mean over its phones of their best fit.

    Part of a name is said often, all of it seldom. "Around" is the block of 4 s that a frame is in and its neighbours.

    Args:
        fit: [B, N, T]. sounds: [N, 3P]. owner: [N] entity of each label. count: K.
    Returns:
        [B, K, T].
    """
    b, _, t = fit.shape
    heard = (sounds.abs().sum(1) > 0).to(fit.dtype)
    blocks = F.max_pool1d(F.pad(fit, (0, -t % AROUND)), AROUND)
    best = F.max_pool1d(blocks, 3, stride=1, padding=1) * heard[:, None]
    sizes = heard.new_zeros(count).index_add(0, owner, heard).clamp(min=1)
    mean = best.new_zeros(b, count, best.shape[2]).index_add(1, owner, best) / sizes[:, None]
    return mean.repeat_interleave(AROUND, 2)[:, :, :t]
