"""A training of a contextual adapter, whatever it learns from: updates, checkpoints, the folder that it ends in.

The base is frozen, and compared before and after. CTC of the adapted last layer, and the cross-entropy of the attention
to who is said in each frame (guided attention, Tang et al. 2024, arXiv 2401.08835).
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from asrbias.adapter import ContextualAdapter
from asrbias.adapter_files import checksum, save_adapter
from asrbias.training.adaptertext import AdapterBatch
from asrbias.training.bar import training_bar
from asrbias.training.checkpoint import CHECKPOINT_FILE, Average, Progress, load_checkpoint, save_checkpoint
from asrbias.training.lists import ListOptions
from asrbias.training.objective import ctc
from asrbias.training.optimizer import make_optimizer


@dataclass(frozen=True, kw_only=True)
class AdapterTrainOptions:
    """How to train. Times are counted in updates."""

    steps: int = 6_000  # updates in all; the learning rate is planned over them
    rate: float = 1e-3  # peak learning rate
    warmup: int = 200  # updates
    decay: float = 0.5  # last share of the steps, in which the rate falls to zero
    weight_decay: float = 0.01  # a unit of the rate, of matrices
    clip: float = 1.0  # gradient norm
    average: float = 0.995  # decay of the moving average, an update
    attention: float = 1.0  # weight of the attention's cross-entropy (nats a frame), beside CTC (nats a label)
    named: float = 3.0  # times that a frame of an entity counts in it
    forced: float = 0.5  # share of the updates, at first, in which frames are told what to attend to
    freed: float = 0.6  # share of the steps after which none are; until then it falls evenly
    seconds: float = 75.0  # simulated speech a batch, about, padding included
    longest: int = 120  # phones; longer sentences are left out (said at the start)
    evaluate_every: int = 500  # updates
    save_every: int = 200  # updates
    report_every: int = 50  # updates
    seed: int = 0
    workers: int = 1  # processes that put batches together
    device: str = "cpu"
    lists: ListOptions = field(default_factory=ListOptions)


NOT_OF_THE_RUN = ("workers", "device", "evaluate_every", "save_every", "report_every")


@dataclass(frozen=True, kw_only=True)
class Base:
    """The frozen model that an adapter is trained for."""

    module: nn.Module  # whose weights must stay
    blank: int
    seconds_per_frame: float
    belongs: str  # `save_adapter`'s head
    name: str = ""


class AdapterRun:
    """Trains an adapter on `data`, or goes on where `output` stopped; a subclass knows how the base is run."""

    half = True  # matrix products in bfloat16

    def __init__(
        self,
        base: Base,
        data: Dataset[AdapterBatch],
        adapter: ContextualAdapter,
        output: Path,
        options: AdapterTrainOptions,
        *,
        run: Mapping[str, Any],
        console: Console,
    ) -> None:
        self.base, self.data, self.output, self.options, self.console = base, data, output, options, console
        self.device = torch.device(options.device)
        self.adapter = adapter
        self.frozen = checksum(base.module)
        self.optimizer = make_optimizer(adapter, "adamw", options.rate, options.weight_decay)
        self.average = Average(adapter, options.average)
        self.progress = Progress()
        settings = {name: value for name, value in asdict(options).items() if name not in NOT_OF_THE_RUN}
        self.settings = {**settings, "adapter": asdict(adapter.config), "base": self.frozen, **run}
        if (output / CHECKPOINT_FILE).is_file():
            self.progress = load_checkpoint(output, adapter, self.average, self.optimizer, self.settings)
            self.console.print(f"going on at step {self.progress.step}")

    def hidden(self, batch: AdapterBatch) -> tuple[Tensor, ...]:
        """What the adapter reads of a batch, [B, T, D] each, the last layer at the end."""
        raise NotImplementedError

    def spell(self, hidden: Tensor) -> Tensor:
        """[B, T, D] -> logits [B, T, V], by the base's head."""
        raise NotImplementedError

    def figures(self, adapter: ContextualAdapter) -> dict[str, float]:
        """Of an adapter, by name; {} where there is nothing to judge it on."""
        return {}

    def run(self) -> None:
        """Train to the end; raises RuntimeError should the base have changed."""
        with training_bar(self.console) as bar:
            task = bar.add_task("training", total=self.options.steps, completed=self.progress.step)
            recent: list[dict[str, float]] = []
            since, frames = time.monotonic(), 0
            for batch in self._batches():
                recent.append(self._update(batch))
                frames += int(batch.lengths.sum())
                self.progress.step += 1
                step, last = self.progress.step, self.progress.step == self.options.steps
                if step % self.options.report_every == 0 or last:
                    parts = means(recent)
                    heard = frames * self.base.seconds_per_frame / (time.monotonic() - since)
                    self._log({"step": step, **parts, "times_real_time": heard})
                    description = " ".join(f"{k} {parts[k]:.3f}" for k in ("ctc", "attention") if k in parts)
                    bar.update(task, completed=step, description=description)
                    recent, since, frames = [], time.monotonic(), 0
                if step % self.options.evaluate_every == 0 or last:
                    self._evaluate()
                if step % self.options.save_every == 0 or last:
                    self._save()

    def _batches(self) -> Iterator[AdapterBatch]:
        numbers = range(self.progress.step, self.options.steps)
        workers = min(1, self.options.workers)
        loader: DataLoader[AdapterBatch] = DataLoader(
            self.data, batch_size=None, sampler=numbers, num_workers=workers, prefetch_factor=8 if workers else None
        )
        yield from loader

    def _update(self, batch: AdapterBatch) -> dict[str, float]:
        options, step = self.options, self.progress.step
        batch = batch.to(self.device)
        up = min(1.0, (step + 1) / max(1, options.warmup))
        down = min(1.0, (options.steps - step) / max(1.0, options.decay * options.steps))
        self.optimizer.set_rate(options.rate * min(up, down))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            with torch.no_grad():
                hidden = self.hidden(batch)
            embedded = self.adapter.embed(batch.rows)
            forced = batch.attended if self._is_forced(step) else None
            told = self.adapter(hidden, batch.lengths, embedded, batch.visible, phones=batch.phones, forced=forced)
            logits = self.spell(told.hidden)
        log_probs, sizes = logits.float().log_softmax(-1), batch.token_lengths
        loss = ctc(log_probs, batch.lengths, batch.tokens, sizes, blank=self.base.blank)
        guided, right = attention_loss(told.attention, batch.attended, options.named)
        parts = {"ctc": loss.item()} if forced is None else {"forced": loss.item()}
        if not loss.requires_grad:  # no sentence of the batch has anything that could be on a list
            return parts
        if forced is None:
            parts |= {"attention": guided.item(), "right": right}
            loss = loss + options.attention * guided
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.adapter.parameters(), options.clip)
        if math.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.adapter, step)
        else:
            self.console.print(f"step {step}: the gradient is not finite; the batch is skipped")
        return {**parts, "norm": float(norm)}

    def _is_forced(self, step: int) -> bool:
        """Whether what an entity's attention adds is learnt alone in this update, before attention finds it."""
        options = self.options
        share = options.forced * max(0.0, 1 - step / max(1.0, options.freed * options.steps))
        return bool(torch.rand((), generator=torch.Generator().manual_seed(options.seed * 1_000_003 + step)) < share)

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[ContextualAdapter]:
        """The adapter with its averaged weights."""
        current = {name: value.clone() for name, value in self.adapter.state_dict().items()}
        self.adapter.load_state_dict(self.average.weights)
        self.adapter.eval()
        try:
            yield self.adapter
        finally:
            self.adapter.load_state_dict(current)
            self.adapter.train()

    def _evaluate(self) -> None:
        with self._averaged() as adapter:
            figures = self.figures(adapter)
        if figures:
            self._log({"step": self.progress.step, **figures})
            self.console.print(f"step {self.progress.step}: " + " ".join(f"{k} {v:.2f}" for k, v in figures.items()))

    def _save(self) -> None:
        learnt = any(one.grad is not None for one in self.base.module.parameters())
        if learnt or checksum(self.base.module) != self.frozen:
            raise RuntimeError("The base model changed while its adapter was trained; it must stay frozen.")
        with self._averaged() as adapter:
            notes = {"step": self.progress.step, "options": asdict(self.options)}
            notes |= {"base": self.base.name} if self.base.name else {}
            save_adapter(adapter, self.output, head=self.base.belongs, notes=notes)
        save_checkpoint(self.output, self.adapter, self.average, self.optimizer, self.progress, self.settings)

    def _log(self, row: dict[str, Any]) -> None:
        self.output.mkdir(parents=True, exist_ok=True)
        with open(self.output / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each name over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    some = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: sum(values) / len(values) for name, values in some.items()}


def attention_loss(attention: Tensor, attended: Tensor, named: float = 1.0) -> tuple[Tensor, float]:
    """Cross-entropy, nats a frame, and the share of the frames of entities in which the spoken one gets most.

    Args:
        attention: [B, T, 1+K].
        attended: [B, T] its right columns; -1: not counted.
        named: times that a frame of an entity counts.
    """
    weight = (attended >= 0).float() * torch.where(attended > 0, named, 1.0)
    share = attention.gather(-1, attended.clamp(min=0)[..., None])[..., 0]
    loss = -(share.clamp(min=1e-6).log() * weight).sum() / weight.sum().clamp(min=1)
    there = attended > 0
    right = (attention[..., 1:].argmax(-1) + 1 == attended)[there].float().mean().item() if bool(there.any()) else 0.0
    return loss, right
