"""The optimizer: AdamW, or Muon for the matrices inside the layers with AdamW for the rest.

Muon (Jordan et al. 2024; scaled as in Liu et al. 2025, arXiv 2502.16982) makes a matrix's update orthogonal, so that
all of its directions learn at one rate; its steps have the size of AdamW's, and one learning rate serves both.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import nn

OptimizerName = Literal["adamw", "muon"]


class OptimizerSet:
    """Several optimizers that step as one."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]) -> None:
        self.optimizers = optimizers

    def set_rate(self, rate: float) -> None:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def state(self) -> dict[str, torch.Tensor]:
        """Everything that a resumed run needs, by `optimizer/parameter/name`."""
        return {
            f"{which}/{index}/{key}": torch.as_tensor(value)
            for which, optimizer in enumerate(self.optimizers)
            for index, state in optimizer.state_dict()["state"].items()
            for key, value in state.items()
        }

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in self.optimizers]
        for name, value in tensors.items():
            which, index, key = name.split("/")
            states[int(which)].setdefault(int(index), {})[key] = value
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def make_optimizer(encoder: nn.Module, name: OptimizerName, rate: float, weight_decay: float) -> OptimizerSet:
    """Weight decay is on matrices only: pulling biases and norms to zero does no good."""
    if name not in get_args(OptimizerName):
        raise ValueError(f"The optimizer is {name!r}; choose one of {', '.join(get_args(OptimizerName))}.")
    matrices = [p for n, p in encoder.named_parameters() if name == "muon" and n.startswith("layers.") and p.ndim == 2]
    taken = {id(p) for p in matrices}
    rest = [p for p in encoder.parameters() if id(p) not in taken]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)]
    if matrices:
        if not hasattr(torch.optim, "Muon"):
            raise ValueError(f"torch {torch.__version__} has no Muon; use 2.9 or later, or the optimizer adamw.")
        optimizers.append(
            torch.optim.Muon(matrices, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        )
    return OptimizerSet(optimizers)
