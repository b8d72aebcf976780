"""Trained adapters into a model's folder, in half precision:

    python recipes/starter/ship_adapter.py runs/a6 runs/a7 --model asrbias/models/starter

The weights of several are averaged, which pays where they are ways from the same start.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from asrbias.adapter_files import CONFIG_FILE, WEIGHTS_FILE, head_digest, load_adapter, save_adapter
from asrbias.model import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapters", type=Path, nargs="+", help="folders that `asrbias train adapter` wrote")
    parser.add_argument("--shares", type=float, nargs="+", help="of each in the average (default: all alike)")
    parser.add_argument("--model", type=Path, required=True, help="model folder that they were trained for")
    arguments = parser.parse_args()
    shares = arguments.shares or [1.0] * len(arguments.adapters)
    if len(shares) != len(arguments.adapters) or not min(shares) > 0:
        parser.error(f"there are {len(arguments.adapters)} adapters but --shares {shares}; give each one, above 0")
    encoder = load_model(arguments.model).encoder
    adapters = [load_adapter(folder, encoder) for folder in arguments.adapters]
    states = [adapter.state_dict() for adapter in adapters]
    parts = [share / sum(shares) for share in shares]
    adapters[-1].load_state_dict(
        {
            name: torch.stack([part * state[name] for part, state in zip(parts, states, strict=True)]).sum(0)
            for name in states[0]
        }
    )
    notes = json.loads((arguments.adapters[-1] / CONFIG_FILE).read_text(encoding="utf-8"))["notes"]
    notes["averaged"] = {folder.name: part for folder, part in zip(arguments.adapters, parts, strict=True)}
    save_adapter(adapters[-1], arguments.model, head=head_digest(encoder), dtype=torch.float16, notes=notes)
    count = sum(parameter.numel() for parameter in adapters[-1].parameters())
    size = (arguments.model / WEIGHTS_FILE).stat().st_size
    print(f"{arguments.model}: {count:,} parameters, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
