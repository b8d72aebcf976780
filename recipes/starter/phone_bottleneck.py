"""A model with a bottleneck of phones (asrbias/encoder.py) from earlier models.

    python recipes/starter/phone_bottleneck.py PLAIN --phone-layer 8 --phone-middle 4 6 -o NEW   # of a model without
    python recipes/starter/phone_bottleneck.py LOWER --upper UPPER -o NEW     # ears of one, spelling of the other

Of a plain model the new one takes the layers up to --phone-layer as they are and, above them, once more those above
its phone head; the bottleneck itself starts at random.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from asrbias.encoder import EncoderConfig
from asrbias.model import Model, load_model, save_model

UPPER = ("head.", "condition.", "bottleneck.")


def is_upper(name: str, config: EncoderConfig) -> bool:
    """Whether a tensor belongs to what is above the bottleneck."""
    first, number, *_ = [*name.split("."), ""]
    return int(number) >= config.phone_layer if first == "layers" else name.startswith(UPPER)


def from_plain(plain: Model, phone_layer: int, phone_middle: tuple[int, ...]) -> Model:
    """`plain`'s layers up to `phone_layer`, then those above its own phone head."""
    old = plain.encoder.config
    shift = phone_layer - old.phone_layer
    config = replace(
        old,
        layers=old.layers + shift,
        phone_layer=phone_layer,
        phone_middle=phone_middle,
        subword_layers=tuple(layer + shift for layer in old.subword_layers if layer > old.phone_layer),
        bottleneck=True,
    )
    model = Model(config, plain.vocabulary, plain.features.options)
    earlier = plain.encoder.state_dict()
    weights: dict[str, Tensor] = {}
    for name, fresh in model.encoder.state_dict().items():
        kind, number, *rest = [*name.split("."), ""]
        if kind == "layers" and int(number) >= phone_layer:
            weights[name] = earlier[".".join([kind, str(int(number) - shift), *rest[:-1]])]
        else:  # what is fed back from new heads begins as nothing
            weights[name] = earlier.get(name, torch.zeros_like(fresh) if kind == "phone_condition" else fresh)
    model.encoder.load_state_dict(weights)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lower", type=Path, metavar="MODEL")
    parser.add_argument("--upper", type=Path, metavar="MODEL")
    parser.add_argument("--phone-layer", type=int, default=8)
    parser.add_argument("--phone-middle", type=int, nargs="*", default=[4, 6])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    model = load_model(args.lower)
    if args.upper is None:
        model = from_plain(model, args.phone_layer, tuple(args.phone_middle))
    else:
        upper = load_model(args.upper).encoder.state_dict()
        weights = model.encoder.state_dict()
        model.encoder.load_state_dict(
            {k: upper[k] if is_upper(k, model.encoder.config) else v for k, v in weights.items()}
        )
    save_model(model, args.output)


if __name__ == "__main__":
    main()
