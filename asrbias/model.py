"""A model on disk and in memory: features, encoder, vocabulary.

A model folder holds `config.json`, `model.safetensors` (half precision or float32) and the vocabulary's file; nothing
in it is ever unpickled.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from asrbias.adapter import ContextualAdapter
from asrbias.audio import Samples
from asrbias.encoder import Encoder, EncoderConfig, EncoderOutput
from asrbias.errors import reason
from asrbias.features import FeatureOptions, LogMel
from asrbias.files import read_object, write_whole
from asrbias.tokens import Vocabulary

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
FORMAT = 1  # raised when an older asrbias could not read the folder


class ModelError(ValueError):
    """A model folder cannot be read; the message says why."""


class Model(nn.Module):
    """Audio [B, S] -> `EncoderOutput`; `adapter` is the contextual adapter that belongs to it, if any."""

    def __init__(
        self, config: EncoderConfig, vocabulary: Vocabulary, features: FeatureOptions = FeatureOptions()
    ) -> None:
        super().__init__()
        if config.vocabulary != len(vocabulary):
            raise ModelError(
                f"The encoder has {config.vocabulary} labels but the vocabulary {len(vocabulary)}; make them equal."
            )
        if vocabulary.blank != 0:  # the loss and the greedy search of training rely on it
            raise ModelError(f"The vocabulary's blank is label {vocabulary.blank}; a model's must be label 0.")
        self.vocabulary = vocabulary
        self.features = LogMel(features)
        self.encoder = Encoder(config)
        self.adapter: ContextualAdapter | None = None

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.features.options.sample_rate

    @property
    def seconds_per_frame(self) -> float:
        """Duration of an output frame."""
        return 4 * self.features.options.hop / self.features.options.sample_rate

    def labelled(self, samples: Samples) -> npt.NDArray[np.bool_]:
        """samples [S] -> [T] whether the likeliest phone of a frame is no blank."""
        device = self.features.bank.device
        with torch.inference_mode():
            audio = torch.from_numpy(samples)[None].to(device)
            output = self.encoder.sounds(*self.features(audio, torch.tensor([len(samples)], device=device)))
            there: npt.NDArray[np.bool_] = (output.phones[0].argmax(-1) != 0).cpu().numpy()
        return there

    def forward(self, audio: Tensor, lengths: Tensor) -> EncoderOutput:
        """audio [B, S] zero-padded samples, lengths [B] in samples."""
        output: EncoderOutput = self.encoder(*self.features(audio, lengths))
        return output


def save_model(
    model: Model, folder: Path, *, dtype: torch.dtype = torch.float32, notes: dict[str, Any] | None = None
) -> None:
    """Write a model folder; `notes` (how it was made) go into config.json."""
    config = {
        "format": FORMAT,
        "encoder": asdict(model.encoder.config),
        "features": asdict(model.features.options),
        "notes": notes or {},
    }
    weights = {
        name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in model.encoder.state_dict().items()
    }
    if model.adapter is not None:
        from asrbias.adapter_files import head_digest, save_adapter

        save_adapter(model.adapter, folder, head=head_digest(model.encoder), dtype=dtype)
    model.vocabulary.save(folder)
    write_whole(folder / WEIGHTS_FILE, save(weights))
    write_whole(folder / CONFIG_FILE, (json.dumps(config, indent=1, ensure_ascii=False) + "\n").encode())


def load_model(folder: Path) -> Model:
    """Read a model folder into float32 on the CPU, in evaluation mode."""
    if not (folder / CONFIG_FILE).is_file():
        raise ModelError(
            f"{folder} is no model folder: {CONFIG_FILE} is missing; give a folder that `asrbias train` wrote."
        )
    try:
        config = read_object(folder / CONFIG_FILE)
        if config["format"] > FORMAT:
            raise ModelError(
                f"{folder} has format {config['format']}, this asrbias reads up to {FORMAT}; update asrbias."
            )
        encoder = _from_dict(EncoderConfig, config["encoder"])
        features = _from_dict(FeatureOptions, config["features"])
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{folder / CONFIG_FILE} cannot be read ({reason(error)}); take it anew from where the model came."
        ) from error
    model = Model(encoder, Vocabulary.load(folder), features)
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"{folder / WEIGHTS_FILE} is missing; take it anew from where the model came.")
    try:
        weights = load_file(folder / WEIGHTS_FILE)
        model.encoder.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        why = " ".join(str(error).split())[:300]  # torch names every tensor, in many lines
        raise ModelError(f"{folder / WEIGHTS_FILE} does not fit its config ({why}); take it anew.") from error
    from asrbias.adapter_files import has_adapter, load_adapter  # which raises ModelError

    if has_adapter(folder):
        model.adapter = load_adapter(folder, model.encoder)
    return model.eval()


def _from_dict(kind: type[Any], values: dict[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"it has the unknown fields {unknown}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
