"""The contextual adapter: a frozen encoder's last layer is told which listed entities are being said.

    adapter = ContextualAdapter(AdapterConfig.of(encoder.config))
    embedded = adapter.embed(rows)                      # of a list, [K, J] labels (adapter_input.py); can be kept
    told = adapter(levels(encoder, output), embedded)   # what the last layer becomes, and who was attended to
    log_probs = encoder.head(told.hidden).log_softmax(-1)

Sathyendra et al. 2022 (contextual adapters), Dingliwal et al. 2023 (for CTC: hidden states of several layers are the
query, and hidden states are changed, not logits, whose blank suffers). What is different here:
 - every label of an entity, its subwords and its phones, has a key and a value of its own, so that what is added in a
   frame depends on the place in the entity; an entity's attention is the sum over its labels (`pooled` is one vector an
   entity, as published);
 - the query sees its neighbouring frames by convolutions, since one phone alone tells no entities apart;
 - what is heard is compared with an entity's phones outright (soundmatch.py), and the comparison added to the scores:
   attention from scratch took thousands of updates until it matched anything;
 - <no-bias> has a value of exactly zero, and there is no other way around it: with an empty list nothing is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrbias.attending import attend, attends_here
from asrbias.encoder import Encoder, EncoderConfig, EncoderOutput, over_frames
from asrbias.soundmatch import SoundMatch, coverage, written

NO_BIAS = 0  # column of <no-bias> in the attention
EARLY = 2.0  # nats below <no-bias> from which a frame speaks for an entity
HIGHEST = 30.0  # nats beyond <no-bias>: more is all the same
USUAL = 1.0  # coverage that decides nothing
BLOCK = 64  # entities that are padded to one length


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """Sizes. Raises ValueError for heads that do not divide the width."""

    vocabulary: int  # subword labels V, blank included
    phones: int  # phone labels P, blank included
    hidden: int  # width D of the encoder
    levels: int  # hidden states that the query is made of
    dim: int = 128  # width A of keys, values and queries
    heads: int = 4  # attention heads
    layers: int = 2  # of the entity encoder
    feedforward: int = 2  # times dim
    query_layers: int = 2  # convolutions over the query
    kernel: int = 15  # frames of 40 ms that each of these sees, odd
    longest: int = 48  # subwords, or phones, of an entity; what is beyond is not read
    sounds: bool = True  # entities are read by their phones too
    votes: int = 8  # frames on either side that speak for an entity in a frame; 0: none does
    pooled: bool = False  # one vector an entity, instead of one a label

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} cannot be shared by {self.heads} heads; use a multiple of them.")
        if self.kernel % 2 == 0:
            raise ValueError(f"The kernel is {self.kernel} frames; it must be odd, so that it has a middle.")

    @classmethod
    def of(cls, encoder: EncoderConfig, **sizes: Any) -> AdapterConfig:
        """For an encoder; `sizes` are those of this class that are not the encoder's."""
        known: dict[str, Any] = {"vocabulary": encoder.vocabulary, "phones": encoder.phones, "hidden": encoder.dim}
        return cls(**known, levels=len(encoder.subword_layers) + 1 + encoder.bottleneck, **sizes)


def levels(encoder: Encoder, output: EncoderOutput) -> tuple[Tensor, ...]:
    """Hidden states [B, T, D] that the adapter reads: the middle heads' layers, the last layer at the end.

    With a bottleneck what comes out of it leads: the sounds, before anything was made of them.
    """
    if not encoder.config.bottleneck:
        return output.hidden
    return (encoder.bottleneck(output.phones.to(output.hidden[-1].dtype)), *output.hidden)


@dataclass(frozen=True, eq=False)
class Embedded:
    """A list of K entities as keys and values, N labels in all (K where `pooled`)."""

    keys: Tensor  # [N, A]
    values: Tensor  # [N, A]
    sounds: Tensor  # [N, 3P] what the phones of each label and those around it are, 0 for subwords; [N, 0] if not read
    sizes: Tensor  # [K] labels of each entity, one entity after the other

    def __len__(self) -> int:
        return len(self.sizes)

    def pick(self, chosen: Sequence[int]) -> Embedded:
        """These entities alone, in this order."""
        index = torch.tensor(chosen, dtype=torch.long, device=self.sizes.device)
        sizes = self.sizes[index]
        begins = (self.sizes.cumsum(0) - self.sizes)[index] - (sizes.cumsum(0) - sizes)
        labels = begins.repeat_interleave(sizes) + torch.arange(int(sizes.sum()), device=index.device)
        return Embedded(self.keys[labels], self.values[labels], self.sounds[labels], sizes)


@dataclass(frozen=True, eq=False)
class Told:
    """A batch of B items of T frames after the adapter."""

    hidden: Tensor  # [B, T, D] for the encoder's head
    attention: Tensor  # [B, T, 1+K] means over heads, summing to 1; column 0 is <no-bias>


class EntityLayer(nn.Module):
    """A transformer layer over the labels of each entity."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        d, self.heads = config.dim, config.heads
        self.norm = nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.after = nn.Sequential(
            nn.LayerNorm(d), nn.Linear(d, config.feedforward * d), nn.SiLU(), nn.Linear(config.feedforward * d, d)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [K, J, A], mask [K, J] -> [K, J, A]."""
        k, j, d = x.shape
        q, key, value = self.qkv(self.norm(x)).view(k, j, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, key, value, attn_mask=mask[:, None, None])
        x = x + self.out(mixed.transpose(1, 2).reshape(k, j, d))
        return x + self.after(x)  # type: ignore[no-any-return]


class EntityEncoder(nn.Module):
    """Rows of labels [K, J] -> [K, J, A]. A row is an entity's subwords, then V + its phones; 0 is padding."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.label = nn.Embedding(config.vocabulary + config.phones, config.dim)
        self.place = nn.Embedding(2 * config.longest, config.dim)
        self.layers = nn.ModuleList(EntityLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        for table in (self.label, self.place):
            nn.init.normal_(table.weight, std=0.5)

    def forward(self, rows: Tensor) -> Tensor:
        mask = rows > 0
        x = self.label(rows) + self.place(self._places(rows))
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)  # type: ignore[no-any-return]

    def _places(self, rows: Tensor) -> Tensor:
        """Subwords are counted from 0, phones from `longest` on."""
        place = torch.arange(rows.shape[1], device=rows.device).expand_as(rows)
        sound = rows >= self.config.vocabulary
        first = ((rows > 0) & ~sound).sum(1, keepdim=True)
        most = self.config.longest
        return torch.where(sound, most + (place - first).clamp(0, most - 1), place.clamp(max=most - 1))


class QueryLayer(nn.Module):
    """A gated convolution over frames."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        d = config.dim
        self.norm = nn.LayerNorm(d)
        self.inner = nn.Linear(d, 2 * d)
        self.depthwise = nn.Conv1d(d, d, config.kernel, padding=config.kernel // 2, groups=d)
        self.out = nn.Linear(d, d)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, T, A], mask [B, T, 1] of valid frames -> [B, T, A]."""
        inner = F.glu(self.inner(self.norm(x)), -1) * mask
        return x + self.out(F.silu(over_frames(self.depthwise, inner)))  # type: ignore[no-any-return]


class ContextualAdapter(nn.Module):
    """What is added to the last layer of a frozen encoder, given an embedded list."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        d = config.dim
        self.entities = EntityEncoder(config)
        self.weight = nn.Parameter(torch.zeros(config.levels))
        self.norms = nn.ModuleList(nn.LayerNorm(config.hidden) for _ in range(config.levels))
        self.inner = nn.Linear(config.hidden, d)
        self.mix = nn.ModuleList(QueryLayer(config) for _ in range(config.query_layers))
        self.norm = nn.LayerNorm(d)
        self.query = nn.Linear(d, d)
        self.key = nn.Linear(d, d, bias=False)
        self.value = nn.Linear(d, d, bias=False)
        self.no_bias = nn.Parameter(torch.zeros(d))  # its key
        self.threshold = nn.Parameter(torch.full((config.heads,), 9.0 if config.sounds else 0.0))  # of <no-bias>, nats
        if config.votes:
            self.votes = nn.Parameter(torch.zeros(config.heads, 1, 2 * config.votes + 1))
        if config.sounds:
            self.match = SoundMatch(config.phones, config.heads)
            self.covered = nn.Parameter(torch.zeros(config.heads))  # nats for a coverage of 1 above the usual
        self.gate = nn.Linear(d, d)
        self.out = nn.Linear(d, config.hidden, bias=False)
        nn.init.zeros_(self.out.weight)

    def embed(self, rows: Tensor) -> Embedded:
        """rows [K, J] of labels (adapter_input.py) -> keys and values; K may be 0."""
        sizes = (rows > 0).sum(1)
        order = sizes.argsort(stable=True)
        # Short and long phrases apart: padding would be most of the work.
        blocks = [rows[some, : int(sizes[some[-1]])] for some in torch.split(order, BLOCK)] if len(rows) else []
        nothing = self.no_bias.new_zeros(0, self.config.dim)
        encoded = torch.cat([nothing, *(self._labels(block) for block in blocks)])
        sounds = torch.cat([self._sounds(rows[:0]), *(self._sounds(block) for block in blocks)])
        sizes = torch.ones_like(sizes) if self.config.pooled else sizes
        in_order = Embedded(self.key(encoded), self.value(encoded), sounds, sizes[order])
        return in_order.pick(order.argsort().tolist())

    def _labels(self, rows: Tensor) -> Tensor:
        """rows [K, J] -> the encoded labels of all of them [N, A], or of each its mean [K, A]."""
        mask = rows > 0
        encoded = self.entities(rows)
        if not self.config.pooled:
            return encoded[mask]  # type: ignore[no-any-return]
        shares = mask[..., None] / mask.sum(1).clamp(min=1)[:, None, None]
        return (encoded * shares).sum(1)  # type: ignore[no-any-return]

    def _sounds(self, rows: Tensor) -> Tensor:
        """rows [K, J] -> [N, 3P] of all labels; nothing where entities are not matched by sound."""
        if not self.config.sounds or self.config.pooled:
            return self.no_bias.new_zeros(len(rows) if self.config.pooled else int((rows > 0).sum()), 0)
        return written(rows - self.config.vocabulary, self.config.phones)[rows > 0]

    def forward(
        self,
        hidden: Sequence[Tensor],
        lengths: Tensor,
        embedded: Embedded,
        visible: Tensor | None = None,
        *,
        phones: Tensor | None = None,
        strength: float = 1.0,
        caution: float = 0.0,
        least: float = 0.0,
        forced: Tensor | None = None,
    ) -> Told:
        """What an encoder's last layer becomes.

        Args:
            hidden: `levels` of the encoder, [B, T, D] each, the last layer at the end.
            lengths: [B] valid frames.
            embedded: of K entities.
            visible: [B, K] which of them are on an item's list; None: all.
            phones: [B, T, P] natural logarithms, of the phone head; without them nothing is compared by sound.
            strength: times what is added.
            caution: nats more for <no-bias>.
            least: share of a frame's attention below which an entity adds nothing to it.
            forced: [B, T] the only column of the attention that a frame may look at, for training (-1: <no-bias>).
        """
        last = hidden[-1]
        if not len(embedded):
            return Told(last, last.new_ones(*last.shape[:2], 1))
        query = self._query(hidden, lengths)
        asked = self.query(query)
        if visible is None and forced is None and attends_here(asked):
            bias, attention = attend(self, asked, embedded, phones, caution, least)
        else:
            fit = self.match.fit(phones, embedded.sounds) if phones is not None and embedded.sounds.shape[1] else None
            bias, attention = self._attend(asked, embedded, visible, fit, caution, least, forced)
        gated = bias * (2 * torch.sigmoid(self.gate(query)))
        return Told(last + strength * self.out(gated), attention)

    def _query(self, hidden: Sequence[Tensor], lengths: Tensor) -> Tensor:
        """[B, T, A], before it is asked anything."""
        shares = torch.softmax(self.weight, 0)
        mixed = sum(share * norm(x) for share, norm, x in zip(shares, self.norms, hidden, strict=True))
        mask = (torch.arange(hidden[-1].shape[1], device=lengths.device) < lengths[:, None])[:, :, None]
        x = self.inner(mixed)
        for layer in self.mix:
            x = layer(x, mask.to(x.dtype))
        return self.norm(x)  # type: ignore[no-any-return]

    def _attend(
        self,
        query: Tensor,
        embedded: Embedded,
        visible: Tensor | None,
        fit: Tensor | None,
        caution: float,
        least: float,
        forced: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """query [B, T, A], fit [B, N, T] -> sum of values [B, T, A], attention [B, T, 1+K].

        A softmax over <no-bias> and N labels, in two parts: which entity, and which of its labels. Whatever speaks for
        an entity as a whole (votes, masks) is added to the first, which is small.
        """
        b, t, d = query.shape
        h, size, count = self.config.heads, d // self.config.heads, len(embedded)
        owner = torch.arange(count, device=query.device).repeat_interleave(embedded.sizes)
        q = query.view(b, t, h, size).permute(0, 2, 3, 1) * size**-0.5  # [B, H, size, T]: frames last, which is fast
        keys, values = (x.view(-1, h, size).transpose(0, 1).to(q.dtype) for x in (embedded.keys, embedded.values))
        nothing = self.no_bias.view(h, 1, size).to(q.dtype) @ q + self.threshold[:, None, None]  # [B, H, 1, T]
        scores = keys @ q  # [B, H, N, T]
        if fit is not None:
            scores = scores + self.match(fit)
        beyond = (scores - nothing).float().clamp(max=HIGHEST).exp()
        sums = beyond.new_zeros(b, h, count, t).index_add(2, owner, beyond) + 1e-30
        logits = sums.log()
        if self.config.votes:
            logits = logits + self._votes(logits)
        if fit is not None:
            cover = coverage(fit, embedded.sounds, owner, count) - USUAL
            logits = logits + self.covered[:, None, None] * cover[:, None].to(logits.dtype)
        if visible is not None:
            logits = logits.masked_fill(~visible[:, None, :, None], -torch.inf)
        logits = torch.cat([logits.new_full((b, h, 1, t), caution), logits], 2)
        if forced is not None:
            allowed = F.one_hot(forced.clamp(min=0), 1 + count).bool().transpose(1, 2)[:, None]
            logits = logits.masked_fill(~allowed, -torch.inf)
        shares = torch.softmax(logits, 2)  # [B, H, 1+K, T]
        attention = shares.mean(1)
        added = shares[:, :, 1:]
        if least:
            added = added * (attention[:, None, 1:] >= least)
        of_label = beyond * (added / sums).index_select(2, owner)
        bias = (values.transpose(1, 2) @ of_label.to(values.dtype)).permute(0, 3, 1, 2).reshape(b, t, d)
        return bias, attention.transpose(1, 2)

    def _votes(self, logits: Tensor) -> Tensor:
        """What the frames around each one have for each entity beyond <no-bias>, weighed: [B, H, K, T] nats.

        An entity is said over many frames; each alone sees a few of its phones.
        """
        reach, frames = self.config.votes, logits.shape[-1]
        support = F.pad(F.softplus(logits + EARLY), (reach, reach))
        weights = self.votes[:, :, None].to(support.dtype)
        shifted = (weights[..., n] * support[..., n : n + frames] for n in range(2 * reach + 1))
        return sum(shifted, torch.zeros_like(logits))
