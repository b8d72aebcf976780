"""torchaudio's pretrained CTC pipelines: `asrbias.load("torchaudio:WAV2VEC2_ASR_BASE_960H")`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from asrbias.errors import reason
from asrbias.foreign import ForeignModel, ForeignModelError
from asrbias.torchaudio_import import import_torchaudio

if TYPE_CHECKING:
    from torch import Tensor, nn

    from asrbias.audio import Samples


def load_bundle(name: str, device: str = "cpu") -> ForeignModel:
    """A pipeline by its name; torchaudio downloads its weights the first time. Raises ForeignModelError."""
    import_torchaudio()
    pipelines: Any = import_module("torchaudio.pipelines")
    bundle: Any = getattr(pipelines, name, None)
    if not hasattr(bundle, "get_labels"):
        known = [one for one in pipelines.__all__ if hasattr(getattr(pipelines, one), "get_labels")]
        raise ForeignModelError(f"torchaudio has no CTC pipeline {name!r}; it has {', '.join(known)}.")
    try:
        module = bundle.get_model()
    except Exception as error:  # what a download and a file of weights can raise
        raise ForeignModelError(f"torchaudio's {name} cannot be had ({reason(error)}); is there a network?") from error
    return from_torchaudio(
        module, bundle.get_labels(), int(bundle.sample_rate), device=device, name=f"torchaudio:{name}"
    )


def from_torchaudio(
    module: nn.Module, labels: Sequence[str], sample_rate: int, *, device: str = "cpu", name: str = "the model"
) -> ForeignModel:
    """Any torchaudio.models.Wav2Vec2Model with a CTC head (wav2vec2, HuBERT, WavLM); its blank is label 0."""
    import torch

    from asrbias.foreign_torch import TorchInside

    module = module.to(device).eval()

    def forward(samples: Samples) -> Tensor:
        with torch.no_grad():
            emissions: Tensor = module(torch.from_numpy(samples)[None].to(device))[0][0]
        return emissions

    inside = TorchInside(module, forward, name)
    return ForeignModel(forward, labels, blank=0, sample_rate=sample_rate, name=name, inside=inside)
