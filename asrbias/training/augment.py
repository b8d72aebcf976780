"""Augmentation of waves (speed, room, colour, noise, level) and of features (SpecAugment, Park et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asrbias.torchaudio_import import import_torchaudio

Wave = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    speeds: tuple[int, ...] = (90, 95, 100, 105, 110)  # percent, one drawn for each utterance
    room: float = 0.25  # probability of an artificial room
    colour: float = 0.4  # probability of a random microphone-like equaliser
    noise: float = 0.5  # probability of added noise
    snr: tuple[float, float] = (5.0, 35.0)  # dB, drawn uniformly


@dataclass(frozen=True, kw_only=True)
class SpecAugmentOptions:
    frequency_masks: int = 2  # count
    frequency_width: int = 20  # bands, at most
    time_masks: int = 3  # count
    time_share: float = 0.06  # of the utterance, at most, each
    warp: float = 0.0  # share by which a vocal tract is made longer or shorter, at most (Jaitly & Hinton 2013)


@lru_cache(maxsize=32)
def _resampler(percent: int) -> Any:
    return import_torchaudio().transforms.Resample(percent, 100, lowpass_filter_width=6)


def augment(wave: Wave, options: AugmentOptions, draw: np.random.Generator) -> Wave:
    """wave [S] -> another [S'], S' = S * 100 / speed."""
    percent = int(draw.choice(options.speeds))
    if percent != 100:
        wave = _resampler(percent)(torch.from_numpy(wave)).numpy()
    if draw.random() < options.room:
        wave = _filter(wave, _room(draw))
    if draw.random() < options.colour:
        wave = _filter(wave, _equaliser(draw))
    if draw.random() < options.noise:
        wave = _add_noise(wave, draw.uniform(*options.snr), draw)
    peak = float(np.abs(wave).max()) + 1e-6
    levelled: Wave = (wave * (draw.uniform(0.05, 0.9) / peak)).astype(np.float32)
    return levelled


def _filter(wave: Wave, impulse: Wave) -> Wave:
    """The wave through a short filter, by FFT, its length kept."""
    size = 1 << (len(wave) + len(impulse) - 2).bit_length()
    x = torch.fft.rfft(torch.from_numpy(wave), size) * torch.fft.rfft(torch.from_numpy(impulse), size)
    filtered: Wave = torch.fft.irfft(x, size)[: len(wave)].numpy()
    return filtered


def _room(draw: np.random.Generator) -> Wave:
    """A direct path and an exponentially decaying diffuse tail (60 dB in 0.1 to 0.5 s)."""
    decay = draw.uniform(0.1, 0.5)  # seconds
    time = np.arange(int(decay * 16_000)) / 16_000
    tail = draw.standard_normal(len(time)).astype(np.float32) * np.exp(-6.9 * time / decay)
    tail *= draw.uniform(0.1, 0.6) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return tail.astype(np.float32)


def _equaliser(draw: np.random.Generator) -> Wave:
    """A 65-tap filter whose gain wanders by up to 12 dB over 8 points of the spectrum."""
    points = np.interp(np.linspace(0, 7, 33), np.arange(8), draw.uniform(-12, 6, 8))
    impulse: Wave = np.roll(np.fft.irfft(10 ** (points / 20)), 32).astype(np.float32)
    return impulse


def _add_noise(wave: Wave, snr: float, draw: np.random.Generator) -> Wave:
    """White to brownish noise at `snr` dB below the wave's power."""
    size = 1 << (len(wave) - 1).bit_length()
    shape = (np.arange(size // 2 + 1) + 20.0) ** -draw.uniform(0.0, 1.0)
    phase = draw.random(size // 2 + 1, dtype=np.float32) * (2 * np.pi)
    noise = np.fft.irfft(shape * np.exp(1j * phase), size)[: len(wave)]
    power = float(np.square(wave).mean()) / (float(np.square(noise).mean()) + 1e-12)
    noisy: Wave = (wave + noise * np.sqrt(power * 10 ** (-snr / 10))).astype(np.float32)
    return noisy


def spec_augment(features: Tensor, frames: Tensor, options: SpecAugmentOptions, generator: torch.Generator) -> Tensor:
    """features [B, T, mels], frames [B] -> the same with bands and stretches set to zero, the mean."""
    size, length, mels = features.shape
    keep = torch.ones(size, length, mels, dtype=torch.bool)
    time, band = torch.arange(length), torch.arange(mels)
    for _ in range(options.frequency_masks):
        width = torch.rand(size, generator=generator) * options.frequency_width
        start = torch.rand(size, generator=generator) * (mels - width)
        keep &= ~((band >= start[:, None]) & (band < (start + width)[:, None]))[:, None, :]
    for _ in range(options.time_masks):
        width = torch.rand(size, generator=generator) * options.time_share * frames.cpu()
        start = torch.rand(size, generator=generator) * (frames.cpu() - width)
        keep &= ~((time >= start[:, None]) & (time < (start + width)[:, None]))[:, :, None]
    return features * keep.to(features.device)


def warp_bands(
    features: Tensor, options: SpecAugmentOptions, low: float, high: float, generator: torch.Generator
) -> Tensor:
    """features [B, T, mels], bands between low and high Hz -> the same as from longer or shorter vocal tracts."""
    size, _, mels = features.shape
    ends = 2595.0 * torch.log10(1.0 + torch.tensor([low, high]) / 700.0)
    step = (ends[1] - ends[0]) / (mels + 1)
    hertz = 700.0 * (10.0 ** ((ends[0] + step * torch.arange(1, mels + 1)) / 2595.0) - 1.0)
    factor = 1.0 + options.warp * (2.0 * torch.rand(size, 1, generator=generator) - 1.0)
    source = (2595.0 * torch.log10(1.0 + hertz * factor / 700.0) - ends[0]) / step - 1.0
    source = source.clamp(0.0, mels - 1.0).to(features.device)  # [B, mels]: the band, and part of one, to take it from
    below = source.floor().long().clamp(max=mels - 2)
    share = (source - below)[:, None, :]
    index = below[:, None, :].expand(features.shape)
    return features.gather(2, index) * (1.0 - share) + features.gather(2, index + 1) * share
