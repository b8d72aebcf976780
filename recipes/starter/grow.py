"""A deeper model that begins as a shallower one: python recipes/starter/grow.py MODEL --after 10 12 14 14 -o NEW

After each named layer (1-based; twice for two) comes a new one that changes nothing yet: what its modules add is
zero, and its LayerNorm, the last thing in a layer, gives back what it gets as nearly as a LayerNorm can. Heads stay
above the layers they were above, those new ones included.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from asrbias.model import Model, load_model, save_model

ADDS = ("before.3.", "attention.out.", "convolution.out.", "after.3.")  # the last linear map of each module


def order_of(layers: int, after: Sequence[int]) -> list[int | None]:
    """For each layer of the deeper model the 0-based number of the earlier one it is, None for a new one."""
    wrong = [layer for layer in after if not 1 <= layer <= layers]
    if wrong:
        raise ValueError(f"There is no layer {wrong[0]} to come after; choose of 1..{layers}.")
    order: list[int | None] = []
    for number in range(layers):
        order += [number, *[None] * list(after).count(number + 1)]
    return order


def grown(model: Model, after: Sequence[int]) -> Model:
    """`model` with a new layer after each of `after`."""
    old = model.encoder.config
    order = order_of(old.layers, after)
    above = {layer: layer + sum(one <= layer for one in after) for layer in range(1, old.layers + 1)}
    config = replace(
        old,
        layers=len(order),
        subword_layers=tuple(above[layer] for layer in old.subword_layers),
        phone_middle=tuple(above[layer] for layer in old.phone_middle),
        phone_layer=above[old.phone_layer],
    )
    new = Model(config, model.vocabulary, model.features.options)
    weights = {name: value for name, value in model.encoder.state_dict().items() if not name.startswith("layers.")}
    new.encoder.load_state_dict(weights, strict=False)
    last = 0
    for layer, number in zip(new.encoder.layers, order, strict=True):
        if number is not None:
            layer.load_state_dict(model.encoder.layers[number].state_dict())
            last = number
            continue
        for name, value in layer.named_parameters():
            if name.startswith(ADDS):
                torch.nn.init.zeros_(value)
        before = model.encoder.layers[last].norm
        # Of x = g z + b, z of mean 0 and variance 1: the mean over channels is about b's, the variance that of g z + b.
        spread = (before.weight.square().mean() + before.bias.var(unbiased=False)).sqrt()
        torch.nn.init.constant_(layer.norm.weight, spread.item())
        torch.nn.init.constant_(layer.norm.bias, before.bias.mean().item())
    return new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--after", type=int, nargs="+", required=True, metavar="LAYER")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    save_model(grown(load_model(args.model), args.after), args.output, notes={"grown": str(args.after)})


if __name__ == "__main__":
    main()
