"""Adapters on disk: adapter.json and adapter.safetensors, beside the model that they belong to or in a folder alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from asrbias.adapter import AdapterConfig, ContextualAdapter
from asrbias.encoder import Encoder
from asrbias.errors import reason
from asrbias.files import read_object, write_whole
from asrbias.model import ModelError

CONFIG_FILE = "adapter.json"
WEIGHTS_FILE = "adapter.safetensors"
FORMAT = 1  # raised when an older asrbias could not read the files


def head_digest(encoder: Encoder) -> str:
    """Tells the encoders that adapters are trained on apart: of the head that they write through, in half precision."""
    return hashlib.sha256(encoder.head.weight.detach().cpu().half().contiguous().numpy().tobytes()).hexdigest()


def checksum(module: nn.Module) -> str:
    """Of all weights of a module: equal if and only if they are, bit for bit."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_adapter(
    adapter: ContextualAdapter,
    folder: Path,
    *,
    head: str = "",
    dtype: torch.dtype = torch.float32,
    notes: dict[str, Any] | None = None,
) -> None:
    """Write both files; `notes` are how it was made.

    `head` tells what it belongs to: the `head_digest` of an encoder, of a model of others the `checksum` of it all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in adapter.state_dict().items()}
    config = {"format": FORMAT, "adapter": asdict(adapter.config), "head": head, "notes": notes or {}}
    write_whole(folder / WEIGHTS_FILE, save(weights))
    write_whole(folder / CONFIG_FILE, (json.dumps(config, indent=1, ensure_ascii=False) + "\n").encode())


def has_adapter(folder: Path) -> bool:
    return (folder / CONFIG_FILE).is_file()


def load_adapter(
    folder: Path, encoder: Encoder | None = None, *, belongs: str = "", name: str = "the one beside it"
) -> ContextualAdapter:
    """Read into float32 on the CPU, in evaluation mode. Raises ModelError.

    It must belong to `encoder`, if given, or have been saved with the `head` that `belongs` is; `name` is the model's,
    for messages.
    """
    if not has_adapter(folder):
        raise ModelError(
            f"There is no adapter at {folder} ({CONFIG_FILE} is missing); give the folder that `asrbias train adapter` "
            "wrote."
        )
    try:
        config = read_object(folder / CONFIG_FILE)
        if config["format"] > FORMAT:
            raise ModelError(
                f"{folder / CONFIG_FILE} has format {config['format']}, this asrbias reads up to {FORMAT}; "
                "update asrbias."
            )
        unknown = sorted(set(config["adapter"]) - {field.name for field in fields(AdapterConfig)})
        if unknown:
            raise ValueError(f"it has the unknown fields {unknown}")
        adapter = ContextualAdapter(AdapterConfig(**config["adapter"]))
        head = config.get("head", "")
    except ModelError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{folder / CONFIG_FILE} cannot be read ({reason(error)}); take it anew from where the model came."
        ) from error
    if (encoder is not None and head and head != head_digest(encoder)) or (belongs and head != belongs):
        base = config.get("notes", {}).get("base")
        raise ModelError(
            f"{folder / CONFIG_FILE} belongs to another model{f' ({base})' if base else ''} than {name}, or to other "
            "weights of it; take both from one place, or train the adapter anew."
        )
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(f"{folder / WEIGHTS_FILE} is missing; take it anew from where the model came.")
    try:
        weights = load_file(folder / WEIGHTS_FILE)
        adapter.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        why = " ".join(str(error).split())[:300]
        raise ModelError(f"{folder / WEIGHTS_FILE} does not fit its config ({why}); take it anew.") from error
    return adapter.eval()
