"""Checkpoints that survive `kill -9`: one safetensors file, written whole, with everything an exact resume needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from asrbias.files import write_whole
from asrbias.training.optimizer import OptimizerSet

CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclass
class Progress:
    """Where a run stands; the next batch is number `batch` of `epoch`."""

    step: int = 0
    epoch: int = 0
    batch: int = 0


class Average:
    """Exponential moving average of the weights; what is evaluated and shipped."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone().float() for name, value in module.state_dict().items()}

    def update(self, module: nn.Module, step: int) -> None:
        # Early on, a short memory: otherwise the random start would be remembered for 1/(1-decay) steps.
        decay = min(self.decay, (1 + step) / (10 + step))
        current = module.state_dict()
        torch._foreach_lerp_(
            list(self.weights.values()), [current[name].detach().float() for name in self.weights], 1 - decay
        )


def save_checkpoint(
    folder: Path,
    encoder: nn.Module,
    average: Average,
    optimizer: OptimizerSet,
    progress: Progress,
    run: dict[str, Any],
) -> None:
    """Write `folder`/checkpoint.safetensors; `run` is what must be the same when it goes on."""
    tensors: dict[str, Tensor] = {f"weight/{k}": v for k, v in encoder.state_dict().items()}
    tensors |= {f"average/{k}": v for k, v in average.weights.items()}
    tensors |= {f"optimizer/{k}": v for k, v in optimizer.state().items()}
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(
        folder / CHECKPOINT_FILE,
        save(flat, {"progress": json.dumps(vars(progress)), "run": json.dumps(run, default=str)}),
    )


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}); delete it to start anew, or restore it.") from error


def load_checkpoint(
    folder: Path, encoder: nn.Module, average: Average, optimizer: OptimizerSet, run: dict[str, Any]
) -> Progress:
    """Restore everything in place; refuses to go on with other settings than the run was started with."""
    path = folder / CHECKPOINT_FILE
    with _open(path) as file:
        metadata = file.metadata()
        before, now = json.loads(metadata["run"]), json.loads(json.dumps(run, default=str))
        changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if changed:
            changes = "; ".join(f"{key}: {before.get(key)!r} -> {now.get(key)!r}" for key in changed)
            raise ValueError(f"{path} was made with other settings ({changes}); use the same, or another --output.")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def part(prefix: str) -> dict[str, Tensor]:
        return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}

    encoder.load_state_dict(part("weight/"))
    average.weights = {name: value.to(average.weights[name].device) for name, value in part("average/").items()}
    optimizer.load(part("optimizer/"))
    return Progress(**json.loads(metadata["progress"]))


def last_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint as they were at its last step, not averaged."""
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; the last weights are only where a training ran.")
    with _open(path) as file:
        names = [name for name in file.keys() if name.startswith("weight/")]  # noqa: SIM118
        return {name[len("weight/") :]: file.get_tensor(name) for name in names}
