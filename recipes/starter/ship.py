"""Last stage of the starter: the trained folder, in half precision, into the package.

python recipes/starter/ship.py runs/s3 --output asrbias/models/starter
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from asrbias.model import CONFIG_FILE, WEIGHTS_FILE, load_model, save_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="model folder that `asrbias train` wrote")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    notes = json.loads((arguments.model / CONFIG_FILE).read_text(encoding="utf-8"))["notes"]
    save_model(load_model(arguments.model), arguments.output, dtype=torch.float16, notes=notes)
    size = (arguments.output / WEIGHTS_FILE).stat().st_size
    print(f"{arguments.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
