"""CTC models in ONNX, as sherpa-onnx publishes them: `asrbias.load("onnx:DIR")`, DIR with model.onnx and tokens.txt.

What a model takes is read from its inputs and its metadata, as sherpa-onnx does:
  - samples [1, S] (wav2vec2 and the like);
  - Kaldi's mel bands [1, T, 80] (icefall's Zipformer; WeNet's Conformer, on samples in 16-bit range);
  - NeMo's mel bands [1, 80, T], normalised over the recording where `normalize_type` says so.
A frame's length is `subsampling_factor` times 10 ms; without it, it is measured. Refused are streaming models, whose
inputs carry states, and the families in `REFUSED`, whose features are others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias.audio import Samples
from asrbias.errors import reason
from asrbias.foreign import ForeignModel, ForeignModelError
from asrbias.torchaudio_import import import_torchaudio

MODELS = ("model.onnx", "model.fp16.onnx", "model.int8.onnx")
RATE = 16_000  # Hz: sherpa-onnx has no CTC model of another
MELS = 80
HOP = 0.01  # seconds from one row of mel bands to the next
REFUSED = ("sense_voice", "dolphin", "telespeech", "tdnn", "omnilingual")  # how their `model_type` begins
NORMALISE = {"per_feature": True, "": False, "NA": False}  # NeMo's `normalize_type`
INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
Features = npt.NDArray[np.float32]


def load_onnx(folder: str) -> ForeignModel:
    """A model by its folder. Raises ForeignModelError."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ForeignModelError(
            f"onnx:{folder} needs onnxruntime, which is not installed; pip install 'asrbias[onnx]'."
        ) from error
    path = next((Path(folder) / name for name in MODELS if (Path(folder) / name).is_file()), None)
    if path is None or not (Path(folder) / "tokens.txt").is_file():
        raise ForeignModelError(f"{folder} is no model; give a folder with tokens.txt and one of {', '.join(MODELS)}.")
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise ForeignModelError(f"{path} cannot be read ({reason(error)}); take it anew from where it came.") from error
    runner = _Runner(session, path)
    tokens = read_tokens(Path(folder) / "tokens.txt")
    runner.check(tokens, Path(folder) / "tokens.txt")
    return ForeignModel(runner, tokens, seconds_per_frame=runner.seconds_per_frame, name=f"onnx:{folder}")


def read_tokens(path: Path) -> list[str]:
    """`TOKEN ID` a line, as sherpa-onnx has it. Raises ForeignModelError."""
    found: dict[int, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        token, _, index = line.rstrip().rpartition(" ")
        if not index.isdecimal() or int(index) in found:
            raise ForeignModelError(
                f"{path}:{number} is {line!r:.60}; a line must be a token, a space and its own number."
            )
        found[int(index)] = token or " "
    if sorted(found) != list(range(len(found))):
        raise ForeignModelError(
            f"{path} has {len(found)} tokens, not numbered from 0 to {len(found) - 1}; number them so."
        )
    return [found[index] for index in range(len(found))]


class _Runner:
    """samples -> the model's output [T, V]."""

    def __init__(self, session: Any, path: Path) -> None:
        self.session = session
        self.facts: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self.inputs = session.get_inputs()
        if len(self.inputs) > 2 or len(self.inputs[0].shape) not in (2, 3):
            names = ", ".join(one.name for one in self.inputs)
            raise ForeignModelError(
                f"{path} takes {names}; only models of whole recordings and their lengths are read, no streaming ones."
            )
        shape, kind = self.inputs[0].shape, self.facts.get("model_type", "")
        self.nemo = len(shape) == 3 and shape[1] == MELS
        rows = [size for size in shape[1:] if isinstance(size, int)]
        if kind.startswith(REFUSED) or self.facts.get("is_giga_am") == "1" or (len(shape) == 3 and rows != [MELS]):
            raise ForeignModelError(
                f"{path} ({kind or 'of no model_type'}) takes {shape}, features that are not made here; CTC models "
                f"of {MELS} mel bands by NeMo, WeNet and Zipformer are read, and models of samples."
            )
        if self.nemo and self.facts.get("normalize_type", "") not in NORMALISE:
            raise ForeignModelError(
                f"{path} has the normalize_type {self.facts['normalize_type']!r}; only per_feature and none are read."
            )

    @property
    def seconds_per_frame(self) -> float | None:
        """As the metadata say; None where they do not."""
        factor = self.facts.get("subsampling_factor", "")
        return HOP * int(factor) if len(self.inputs[0].shape) == 3 and factor.isdecimal() and int(factor) else None

    def check(self, tokens: list[str], path: Path) -> None:
        """Raises ForeignModelError where `vocab_size` is of other tokens; NeMo's leaves the blank out."""
        size = self.facts.get("vocab_size", "")
        if size.isdecimal() and len(tokens) not in (int(size), int(size) + 1):
            raise ForeignModelError(
                f"{path} has {len(tokens)} tokens but the model's metadata {size}; take both files from one place."
            )

    def __call__(self, samples: Samples) -> Features:
        first = self.features(samples)
        given: dict[str, Any] = {self.inputs[0].name: first}
        if len(self.inputs) == 2:
            frames = first.shape[-1] if self.nemo or first.ndim == 2 else first.shape[1]
            given[self.inputs[1].name] = np.array([frames], INTEGERS.get(self.inputs[1].type, np.int64))
        output: Features = self.session.run(None, given)[0][0]
        return output

    def features(self, samples: Samples) -> Features:
        """What the model's first input is of these samples, a batch of one."""
        if len(self.inputs[0].shape) == 2:
            return samples[None]
        if self.nemo:
            return nemo_features(samples, NORMALISE[self.facts.get("normalize_type", "")])[None]
        wenet = self.facts.get("model_type", "").startswith("wenet") or self.facts.get("normalize_samples") == "0"
        return kaldi_features(samples * np.float32(32_768.0) if wenet else samples)[None]


def kaldi_features(samples: Samples) -> Features:
    """samples [S] -> Kaldi's log mel bands [T, 80], as sherpa-onnx has them: no dither, frames to the edges."""
    import torch

    import_torchaudio()
    from torchaudio.compliance import kaldi

    bands: Features = kaldi.fbank(
        torch.from_numpy(samples)[None], num_mel_bins=MELS, sample_frequency=float(RATE), dither=0.0, snip_edges=False,
        high_freq=-400.0,
    ).numpy()  # fmt: skip
    return bands


def nemo_features(samples: Samples, normalise: bool) -> Features:
    """samples [S] -> NeMo's log mel bands [80, S/160] (AudioToMelSpectrogramPreprocessor, without dither)."""
    import torch

    audio = torch.from_numpy(samples)
    audio = torch.cat([audio[:1], audio[1:] - 0.97 * audio[:-1]])
    window = torch.hann_window(400, periodic=False)
    spectrum = torch.stft(audio, 512, 160, 400, window, center=True, pad_mode="constant", return_complex=True)
    bank = import_torchaudio().functional.melscale_fbanks(257, 0.0, RATE / 2, MELS, RATE, "slaney", "slaney")
    mel = torch.log(bank.T @ spectrum.abs().square() + 2.0**-24)
    mel = mel[:, : max(1, len(samples) // 160)]  # NeMo masks what is beyond
    if normalise:
        mel = (mel - mel.mean(1, keepdim=True)) / (mel.std(1, keepdim=True) + 1e-5)
    bands: Features = mel.numpy()
    return bands
