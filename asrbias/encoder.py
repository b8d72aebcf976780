"""Conformer encoder with intermediate CTC heads over subwords and a CTC head over phones.

Gulati et al. 2020 (Conformer), Lee & Watanabe 2021 (intermediate CTC), Nozaki & Komatsu 2021 (self-conditioning),
Sato et al. 2022 (text through an intermediate CTC layer).
Notable:
 - with a `bottleneck` the layers after the phone head see nothing but its posteriors: they learn to spell sounds, and
   so can learn from text alone (`Encoder.spell`, training/text.py), where the speech at hand is too little;
 - 4x subsampling by a light convolutional stem: 40 ms a frame;
 - rotary positions, so that attention is plain `scaled_dot_product_attention`;
 - LayerNorm in the convolution module: batch statistics would tie an item's result to its neighbours, and padding is
   masked before every convolution, so a padded batch gives what each item gives alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    vocabulary: int = 256  # subword labels, blank included
    phones: int = 40  # phone labels, blank included
    mels: int = 80  # input bands
    dim: int = 176  # model width D
    layers: int = 12
    heads: int = 4  # attention heads
    feedforward: int = 4  # times dim
    kernel: int = 15  # frames of 40 ms seen by the depthwise convolution, odd
    stem_channels: int = 16  # channels of the first subsampling convolution
    subword_layers: tuple[int, ...] = (4, 8)  # 1-based layers with an intermediate subword head
    phone_layer: int = 6  # 1-based layer with the phone head
    self_conditioning: bool = True  # feed intermediate posteriors back
    phone_middle: tuple[int, ...] = ()  # 1-based layers below phone_layer with an intermediate phone head
    bottleneck: bool = False  # layers above phone_layer see the phone posteriors and nothing else
    dropout: float = 0.0  # probability, of a channel in a whole utterance
    layer_drop: float = 0.0  # probability that training skips the last layer; earlier ones in proportion

    def __post_init__(self) -> None:
        if self.dim % self.heads or (self.dim // self.heads) % 2:
            raise ValueError(
                f"dim {self.dim} over {self.heads} heads gives no even head size; use a multiple of 2*heads."
            )
        if self.kernel % 2 == 0:
            raise ValueError(f"The kernel is {self.kernel} frames; it must be odd, so that it has a middle.")
        for layer in (*self.subword_layers, self.phone_layer):
            if not 1 <= layer <= self.layers:
                raise ValueError(f"A head on layer {layer} is outside 1..{self.layers}; choose an existing layer.")
        for layer in self.phone_middle:
            if not 1 <= layer < self.phone_layer:
                raise ValueError(f"An intermediate phone head on layer {layer} must be below layer {self.phone_layer}.")
        low = [layer for layer in self.subword_layers if layer <= self.phone_layer]
        if self.bottleneck and (low or self.phone_layer == self.layers):
            raise ValueError(
                f"With a bottleneck at layer {self.phone_layer} all subword heads and the last layer must be above it, "
                f"but there are subword heads at {list(self.subword_layers)} and {self.layers} layers."
            )


@dataclass(frozen=True)
class EncoderOutput:
    """Everything the heads say about a batch of B items of at most T frames of 40 ms."""

    log_probs: Tensor  # [B, T, V] natural log, last layer
    middle: tuple[Tensor, ...]  # [B, T, V] each, natural log, one a layer of `subword_layers`
    phones: Tensor  # [B, T, P] natural log
    hidden: tuple[Tensor, ...]  # [B, T, D] each: layers of `subword_layers`, then the last
    lengths: Tensor  # [B] valid frames
    phone_middle: tuple[Tensor, ...] = ()  # [B, T, P] each, natural log, one a layer of `phone_middle`


def _half(length: Tensor) -> Tensor:
    return (length - 1) // 2 + 1


class Stem(nn.Module):
    """[B, T, mels] -> [B, T/4, D]: two convolutions of stride 2, the second depthwise-separable."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        c = config.stem_channels
        self.first = nn.Conv2d(1, c, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(c, c, 3, stride=2, padding=1, groups=c)
        self.pointwise = nn.Conv2d(c, 2 * c, 1)
        bands = (config.mels + 3) // 4
        self.out = nn.Linear(2 * c * bands, config.dim)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(x[:, None])
        lengths = _half(lengths)
        x = F.silu(x) * mask_of(lengths, x.shape[2])[:, None, :, None].to(x.dtype)
        x = F.silu(self.pointwise(self.depthwise(x)))
        lengths = _half(lengths)
        return self.out(x.transpose(1, 2).flatten(2)), lengths


def mask_of(lengths: Tensor, size: int) -> Tensor:
    """[B] -> [B, size], true on valid frames."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def rotary_table(size: int, dim: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines [size, dim/2] of Su et al. 2021."""
    rate = 10_000.0 ** (-torch.arange(0, dim, 2, device=device).float() / dim)
    angle = torch.arange(size, device=device).float()[:, None] * rate
    return angle.cos(), angle.sin()


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = (part.to(x.dtype) for part in table)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """q, k, v [B, H, T, D/H], mask [B, T] of the frames that may be looked at -> [B, H, T, D/H].

    In half precision on a CPU, torch's own kernels multiply in float32: written out it takes half of their time
    (bench/bench_training.py).
    """
    if q.dtype != torch.bfloat16 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
    hidden = torch.zeros(mask.shape, device=q.device).masked_fill_(~mask, -1e9)[:, None, None]
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
    return torch.softmax(scores.float() + hidden, -1).to(v.dtype) @ v


class Attention(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.dim)
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.out = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor, mask: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed = attend(rotate(q, table), rotate(k, table), v, mask)
        return self.out(mixed.transpose(1, 2).reshape(b, t, d))  # type: ignore[no-any-return]


def over_frames(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """A depthwise convolution, x [B, T, D] -> [B, T, D].

    As one over images a frame high, channels last, where that is sure to be quick: what conv1d gives, bit for bit, in a
    fifth of the time on a CPU. (In bfloat16 such a convolution of 16 channels takes minutes.)
    """
    if torch.is_grad_enabled() or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return convolution(x.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]
    image = x.transpose(1, 2)[:, :, None]
    weight, reach = convolution.weight[:, :, None], (0, convolution.kernel_size[0] // 2)
    out = F.conv2d(image, weight, convolution.bias, padding=reach, groups=convolution.groups)
    return out[:, :, 0].transpose(1, 2)


class Convolution(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        d = config.dim
        self.norm = nn.LayerNorm(d)
        self.inner = nn.Linear(d, 2 * d)
        self.depthwise = nn.Conv1d(d, d, config.kernel, padding=config.kernel // 2, groups=d)
        self.middle = nn.LayerNorm(d)
        self.out = nn.Linear(d, d)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = F.glu(self.inner(self.norm(x)), -1) * mask[:, :, None].to(x.dtype)
        x = over_frames(self.depthwise, x)
        return self.out(F.silu(self.middle(x)))  # type: ignore[no-any-return]


class FeedForward(nn.Sequential):
    def __init__(self, config: EncoderConfig) -> None:
        d, inner = config.dim, config.dim * config.feedforward
        super().__init__(nn.LayerNorm(d), nn.Linear(d, inner), nn.SiLU(), nn.Linear(inner, d))


class LockedDropout(nn.Module):
    """Drops channels of an item in all of its frames at once (Gal & Ghahramani 2016).

    Fewer random numbers than a mask a frame, which on a CPU are a quarter of a training step's time.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        if not self.training or not self.probability:
            return x
        keep = 1.0 - self.probability
        mask = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) < keep
        return x * (mask.to(x.dtype) / keep)


class ConformerLayer(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.before = FeedForward(config)
        self.attention = Attention(config)
        self.convolution = Convolution(config)
        self.after = FeedForward(config)
        self.norm = nn.LayerNorm(config.dim)
        self.dropout = LockedDropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        x = x + 0.5 * self.dropout(self.before(x))
        x = x + self.dropout(self.attention(x, mask, table))
        x = x + self.dropout(self.convolution(x, mask))
        x = x + 0.5 * self.dropout(self.after(x))
        return self.norm(x)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """Phone posteriors [B, T, P], natural log -> [B, T, D]: all that the layers above learn of the sound."""

    FLOOR = -12.0  # nats: what is less probable than this is all the same

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.inner = nn.Linear(2 * config.phones, config.dim)
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, phones: Tensor) -> Tensor:
        # Logarithms tell apart what is improbable, probabilities what is likely; both get a spread of about 1.
        both = torch.cat([phones.clamp(min=self.FLOOR) / 4 + 1, phones.exp() * 2], -1)
        return self.norm(self.inner(both))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Features [B, T, mels] -> log-probabilities of every head. Blank is label 0 in both alphabets."""

    def __init__(self, config: EncoderConfig = EncoderConfig()) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem(config)
        self.layers = nn.ModuleList(ConformerLayer(config) for _ in range(config.layers))
        # One subword head serves the middle and the last layers (Nozaki & Komatsu 2021): fewer parameters, and what
        # is fed back means the same everywhere.
        self.head = nn.Linear(config.dim, config.vocabulary)
        self.phone_head = nn.Linear(config.dim, config.phones)
        if config.self_conditioning:
            self.condition = nn.Linear(config.vocabulary, config.dim)
        if config.self_conditioning and config.phone_middle:
            self.phone_condition = nn.Linear(config.phones, config.dim)
        if config.bottleneck:
            self.bottleneck = Bottleneck(config)

    def regularise(self, dropout: float, layer_drop: float) -> None:
        """Change what training drops; results in evaluation mode stay what they are."""
        self.config = replace(self.config, dropout=dropout, layer_drop=layer_drop)
        for module in self.modules():
            if isinstance(module, LockedDropout):
                module.probability = dropout

    def _skips(self, number: int) -> bool:
        """Stochastic depth (Huang et al. 2016), for a whole batch: a layer that is skipped costs nothing."""
        if not self.training or not self.config.layer_drop:
            return False
        return torch.rand(()).item() < self.config.layer_drop * number / self.config.layers

    def forward(self, features: Tensor, lengths: Tensor) -> EncoderOutput:
        """features [B, T, mels] zero-padded, lengths [B] in feature frames (10 ms)."""
        x, lengths = self.stem(features, lengths)
        first = self.config.phone_layer if self.config.bottleneck else self.config.layers
        lower = self._run(x, lengths, 1, first)
        return self.spell(lower.phones, lengths, lower) if self.config.bottleneck else lower

    def sounds(self, features: Tensor, lengths: Tensor) -> EncoderOutput:
        """What `forward` gives, of the layers up to the phone head; the last is not run: `log_probs` is [B, T, 0]."""
        x, lengths = self.stem(features, lengths)
        return self._run(x, lengths, 1, self.config.phone_layer)

    def spell(self, phones: Tensor, lengths: Tensor, lower: EncoderOutput | None = None) -> EncoderOutput:
        """The layers above the bottleneck alone: phones [B, T, P], natural log, lengths [B] in frames of 40 ms."""
        output = self._run(self.bottleneck(phones), lengths, self.config.phone_layer + 1, self.config.layers)
        return replace(output, phones=phones, phone_middle=lower.phone_middle if lower is not None else ())

    def _run(self, x: Tensor, lengths: Tensor, first: int, last: int) -> EncoderOutput:
        """x [B, T, D] through layers first..last, both included, with their heads."""
        config = self.config
        mask = mask_of(lengths, x.shape[1])
        table = rotary_table(x.shape[1], config.dim // config.heads, x.device)
        middle: list[Tensor] = []
        sounds: list[Tensor] = []
        hidden: list[Tensor] = []
        phones = x
        for number in range(first, last + 1):
            if not self._skips(number):
                x = self.layers[number - 1](x, mask, table)
            if number in config.phone_middle or number == config.phone_layer:
                phones = self.phone_head(x).float().log_softmax(-1)
            if number in config.phone_middle:
                sounds.append(phones)
                if config.self_conditioning:
                    x = x + self.phone_condition(phones.exp().to(x.dtype))
            if number in config.subword_layers:
                hidden.append(x)
                middle.append(self.head(x).float().log_softmax(-1))
                if config.self_conditioning:
                    x = x + self.condition(middle[-1].exp().to(x.dtype))
        hidden.append(x)
        whole = last == config.layers
        log_probs = self.head(x).float().log_softmax(-1) if whole else x.new_empty(*x.shape[:2], 0)
        return EncoderOutput(log_probs, tuple(middle), phones, tuple(hidden), lengths, tuple(sounds))
