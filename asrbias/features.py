"""Log-mel features, computed with torchaudio's filters.

Notable: frames are cut from a zero-padded signal, and statistics are taken over an item's own frames, so a padded batch
gives each item exactly the features that it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asrbias.torchaudio_import import import_torchaudio


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    sample_rate: int = 16_000  # Hz
    window: int = 400  # samples
    hop: int = 160  # samples
    fft: int = 512  # samples
    mels: int = 80  # bands
    low: float = 20.0  # Hz
    high: float = 7_600.0  # Hz
    preemphasis: float = 0.97  # coefficient of the previous sample
    floor: float = 1e-8  # power added before the logarithm: digital silence is finite


class LogMel(nn.Module):
    """Log-mel spectrogram, each band normalised to zero mean and unit variance over the utterance."""

    window: Tensor
    bank: Tensor

    def __init__(self, options: FeatureOptions = FeatureOptions()) -> None:
        super().__init__()
        self.options = options
        bank = import_torchaudio().functional.melscale_fbanks(
            options.fft // 2 + 1, options.low, options.high, options.mels, options.sample_rate, mel_scale="htk"
        )
        self.register_buffer("bank", bank, persistent=False)
        self.register_buffer("window", torch.hann_window(options.window), persistent=False)

    def frames(self, samples: Tensor) -> Tensor:
        """Number of frames of `samples` samples."""
        return samples // self.options.hop + 1

    def forward(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """audio [B, S] zero-padded samples in -1..1, lengths [B] in samples -> features [B, T, mels], frames [B]."""
        options = self.options
        valid = torch.arange(audio.shape[1], device=audio.device) < lengths[:, None]
        audio = audio.float() * valid
        audio = torch.cat([audio[:, :1], audio[:, 1:] - options.preemphasis * audio[:, :-1]], 1) * valid
        padded = nn.functional.pad(audio, (options.fft // 2, options.fft // 2))
        spectrum = torch.stft(
            padded, options.fft, options.hop, options.window, self.window, center=False, return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        mel = torch.log(power.transpose(1, 2) @ self.bank + options.floor)
        return self._normalise(mel, self.frames(lengths))

    @staticmethod
    def _normalise(mel: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        mask = (torch.arange(mel.shape[1], device=mel.device) < frames[:, None])[:, :, None]
        count = frames[:, None, None].float()
        mean = (mel * mask).sum(1, keepdim=True) / count
        centred = (mel - mean) * mask
        deviation = (centred.square().sum(1, keepdim=True) / count).sqrt()
        # A constant band (silence) must stay near zero instead of having its rounding noise blown up.
        return centred / (deviation + 0.1), frames
