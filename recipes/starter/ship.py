"""Last stage of the starter: the trained model, in half precision, into the package.

    python recipes/starter/ship.py runs/s5 runs/s6 --output asrbias/models/starter

The weights of several models are averaged, which pays where they are stages of one training. The facts kept in
config.json are those of the last one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from asrbias.model import CONFIG_FILE, WEIGHTS_FILE, load_model, save_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", help="model folders that `asrbias train` wrote")
    parser.add_argument("--shares", type=float, nargs="+", help="of each in the average (default: all alike)")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    shares = arguments.shares or [1.0] * len(arguments.models)
    if len(shares) != len(arguments.models) or not min(shares) > 0:
        parser.error(f"there are {len(arguments.models)} models but --shares {shares}; give each one, above 0")
    models = [load_model(folder) for folder in arguments.models]
    states = [model.encoder.state_dict() for model in models]
    parts = [share / sum(shares) for share in shares]
    average = {
        name: torch.stack([part * state[name] for part, state in zip(parts, states, strict=True)]).sum(0)
        for name in states[0]
    }
    models[-1].encoder.load_state_dict(average)
    notes = json.loads((arguments.models[-1] / CONFIG_FILE).read_text(encoding="utf-8"))["notes"]
    notes["averaged"] = {folder.name: part for folder, part in zip(arguments.models, parts, strict=True)}
    notes.pop("dev", None)  # of the last model alone, not of the average
    save_model(models[-1], arguments.output, dtype=torch.float16, notes=notes)
    size = (arguments.output / WEIGHTS_FILE).stat().st_size
    print(f"{arguments.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
