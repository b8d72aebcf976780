"""Hugging Face's CTC models: `asrbias.load("hf:facebook/wav2vec2-base-960h")`, or a folder with such a model.

Any `AutoModelForCTC`: wav2vec2 and those with its files (HuBERT, WavLM, SEW, UniSpeech, data2vec), w2v-BERT, Parakeet
and its kin. Only safetensors are read: nothing is unpickled, and no code of the model's repository is run.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrbias.errors import reason
from asrbias.foreign import ForeignModel, ForeignModelError
from asrbias.torchaudio_import import import_torchaudio

if TYPE_CHECKING:
    from torch import Tensor

    from asrbias.audio import Samples


def load_hf(name: str, device: str = "cpu") -> ForeignModel:
    """A model by its folder or its name on the hub, which is downloaded the first time. Raises ForeignModelError."""
    import_torchaudio()  # before transformers does, which gives up beside a CPU build of torch
    try:
        import transformers
    except ImportError as error:
        raise ForeignModelError(
            f"hf:{name} needs transformers, which is not installed; pip install 'asrbias[hf]'."
        ) from error
    offline = {"local_files_only": True} if Path(name).is_dir() else {}
    try:
        model: Any = transformers.AutoModelForCTC.from_pretrained(name, use_safetensors=True, **offline)
        hearing: Any = transformers.AutoFeatureExtractor.from_pretrained(name, **offline)
        tokens = _tokenizer(transformers, name, offline)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, ... for what it cannot read
        raise ForeignModelError(
            f"hf:{name} cannot be loaded ({reason(error)}); give a folder or a hub name with a CTC model's config, "
            "model.safetensors, tokenizer and feature extractor."
        ) from error
    # In float32, whatever the file has: what the feature extractor gives is.
    return _wrapped(model.to(device).float().eval(), hearing, tokens, device, f"hf:{name}")


def _tokenizer(transformers: Any, name: str, offline: dict[str, bool]) -> Any:
    """Of WavLM, SEW and others transformers does not know which it is, where the files do not say: it is wav2vec2's."""
    try:
        return transformers.AutoTokenizer.from_pretrained(name, **offline)
    except Exception:
        try:
            return transformers.Wav2Vec2CTCTokenizer.from_pretrained(name, **offline)
        except Exception:  # the first error says more
            pass
        raise


def _wrapped(model: Any, hearing: Any, tokens: Any, device: str, name: str) -> ForeignModel:
    import torch

    from asrbias.foreign_torch import TorchInside

    blank = model.config.pad_token_id
    if blank is None:
        raise ForeignModelError(f"{name} has no pad_token_id in its config, and so no blank; set it.")
    takes = inspect.signature(model.forward).parameters
    rate = int(hearing.sampling_rate)

    def forward(samples: Samples) -> Tensor:
        # One recording at a time: wav2vec2-base gives other posteriors where another one's padding stands beside it.
        made = hearing(samples, sampling_rate=rate, return_tensors="pt")
        given = {key: value.to(device) for key, value in made.items() if key in takes}
        with torch.no_grad():
            logits: Tensor = model(**given).logits[0]
        return logits[: _frames(model, given, len(logits))]

    return ForeignModel(
        forward, _labels(tokens, int(model.config.vocab_size)), blank=int(blank), sample_rate=rate, name=name,
        inside=TorchInside(model, forward, name),
    )  # fmt: skip


def _frames(model: Any, given: dict[str, Any], made: int) -> int:
    """How many of the frames are the recording's: w2v-BERT pads one to an even number, Parakeet masks the last."""
    mask = given.get("attention_mask")
    if mask is None or bool(mask.all()):
        return made
    if hasattr(model, "_get_output_attention_mask"):
        return int(model._get_output_attention_mask(mask, target_length=made)[0].sum())
    return min(made, max(1, int(model._get_feat_extract_output_lengths(mask.sum(-1))[0])))


def _labels(tokens: Any, size: int) -> list[str]:
    """A string for each of the model's columns; what the tokenizer does not have is never written."""
    names = {int(index): str(token) for token, index in tokens.get_vocab().items()}
    special = {int(index) for index in tokens.all_special_ids}
    delimiter = getattr(tokens, "word_delimiter_token", None)
    labels = []
    for index in range(size):
        name = names.get(index, f"<unused{index}>")
        if name == delimiter:
            name = "|"
        elif index in special and not (name.startswith(("<", "[")) and name.endswith((">", "]"))):
            name = f"<{name}>"
        labels.append(name)
    return labels
