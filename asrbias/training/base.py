"""Base training: manifests packed as shards in, a model folder out.

Notable: AdamW with warm-up, a plateau and a linear decay to zero; bf16 autocast; an exponential moving average of the
weights is what is evaluated and kept; a run that was killed goes on with the very batch and augmentation it would have
seen; under torchrun every process takes its share of each epoch's batches.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from asrbias.encoder import EncoderConfig
from asrbias.model import Model, load_model, save_model
from asrbias.tokens import Vocabulary
from asrbias.training import stream
from asrbias.training.augment import AugmentOptions, SpecAugmentOptions, spec_augment, warp_bands
from asrbias.training.bar import training_bar
from asrbias.training.checkpoint import (
    CHECKPOINT_FILE,
    Average,
    Progress,
    last_weights,
    load_checkpoint,
    save_checkpoint,
)
from asrbias.training.data import Batch, BatchOptions, Example, Source, read_examples
from asrbias.training.evaluate import evaluate
from asrbias.training.objective import ObjectiveOptions, objective, text_objective
from asrbias.training.optimizer import OptimizerName, make_optimizer
from asrbias.training.passes import Part, Passes
from asrbias.training.phonebank import PhoneBank
from asrbias.training.stream import Share, is_text
from asrbias.training.text import TextBatch, TextBatches, TextOptions, TextSource, read_sentences


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    steps: int = 10_000  # updates in all; the learning rate is planned over them
    stop_at: int | None = None  # update after which to stop early, to go on another time
    rate: float = 1.5e-3  # peak learning rate
    warmup: int = 500  # updates
    decay: float = 0.3  # last share of the steps, in which the rate falls to zero
    optimizer: OptimizerName = "adamw"
    weight_decay: float = 0.02  # a unit of the rate, of matrices
    clip: float = 1.0  # gradient norm
    average: float = 0.998  # decay of the moving average, an update
    evaluate_every: int = 500  # updates
    save_every: int = 100  # updates
    report_every: int = 20  # updates
    dropout: float = 0.0  # probability (EncoderConfig)
    layer_drop: float = 0.0  # probability (EncoderConfig)
    apart: bool = False  # the layers below a bottleneck learn phones alone
    seed: int = 0
    workers: int = 1  # processes that read and augment
    device: str = "cpu"
    batches: BatchOptions = field(default_factory=BatchOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    spec_augment: SpecAugmentOptions = field(default_factory=SpecAugmentOptions)
    objective: ObjectiveOptions = field(default_factory=ObjectiveOptions)
    text: TextOptions = field(default_factory=TextOptions)


def rate_at(step: int, options: TrainOptions) -> float:
    """Learning rate of update `step`: linear warm-up, plateau, linear decay to zero."""
    up = min(1.0, (step + 1) / max(1, options.warmup))
    down = min(1.0, (options.steps - step) / max(1.0, options.decay * options.steps))
    return options.rate * min(up, down)


def train_base(
    sources: Sequence[Source],
    dev: Source | None,
    output: Path,
    options: TrainOptions,
    *,
    config: EncoderConfig | None = None,
    vocabulary: Vocabulary | None = None,
    init: Path | None = None,
    init_last: bool = False,
    text: TextSource | None = None,
) -> Path:
    """Train, or go on where `output` stopped; returns `output`, a model folder with the averaged weights.

    Either `init` (an earlier model folder) or `config` and `vocabulary` must be given. With `init_last` the start is
    the last weights of the earlier run's checkpoint, not their average, which lags where a model still learns fast.
    `text`: what the updates of text (`TextOptions.share`) are made of; the model must have a bottleneck.
    """
    if init is not None:
        model = load_model(init)
        if init_last:
            model.encoder.load_state_dict(last_weights(init))
    elif config is not None and vocabulary is not None:
        torch.manual_seed(options.seed)
        model = Model(config, vocabulary)
    else:
        raise ValueError("Training needs a start: give an earlier model (--init), or a vocabulary and sizes.")
    start = {"init": str(init), "init_last": init_last}
    if text is not None:  # as the speech, the text of a run may not change between its parts
        start["text"] = [str(text.sentences), str(text.bank)]
    trainer = BaseTrainer(sources, dev, output, options, model, start, text)
    trainer.run()
    return output


class BaseTrainer:
    def __init__(
        self,
        sources: Sequence[Source],
        dev: Source | None,
        output: Path,
        options: TrainOptions,
        model: Model,
        start: dict[str, Any],
        text: TextSource | None = None,
    ) -> None:
        rate = model.features.options.sample_rate
        if options.batches.sample_rate != rate:
            raise ValueError(
                f"The model hears {rate} Hz, the shards are {options.batches.sample_rate} Hz; pack them anew."
            )
        self.options, self.output = options, output
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = self._device()
        self.console = Console(quiet=self.rank != 0)
        self.model = model
        if options.apart and not model.encoder.config.bottleneck:
            raise ValueError("To train apart there must be a bottleneck, which this model has not; leave --apart out.")
        self.model.encoder.regularise(options.dropout, options.layer_drop)
        self.model.to(self.device).train()  # an earlier model comes in evaluation mode, which drops nothing
        self.run_settings = {
            **{
                k: v
                for k, v in asdict(options).items()
                if k not in ("stop_at", "workers", "device", "evaluate_every", "save_every", "report_every")
            },
            "sources": [(str(source.paths), source.weight) for source in sources],
            **start,
            "world": self.world,
            "encoder": asdict(self.model.encoder.config),
        }
        self.sources = [(self._read(source), source.weight) for source in sources]
        self.dev = self._read(dev) if dev is not None else []
        encoder = self.model.encoder
        self.optimizer = make_optimizer(encoder, options.optimizer, options.rate, options.weight_decay)
        self.average = Average(encoder, options.average)
        self.progress = Progress()
        if (output / CHECKPOINT_FILE).is_file():
            self.progress = load_checkpoint(output, encoder, self.average, self.optimizer, self.run_settings)
            self.console.print(f"going on at step {self.progress.step}")
        self.text = self._sentences(text) if text is not None else None
        self.forward: nn.Module = Passes(encoder, options.apart)
        if self.world > 1:
            partly = options.layer_drop > 0 or not options.objective.subword or options.text.share > 0
            self.forward = nn.parallel.DistributedDataParallel(self.forward, find_unused_parameters=partly)

    @property
    def _end(self) -> int:
        return min(self.options.steps, self.options.stop_at or self.options.steps)

    def _device(self) -> torch.device:
        if self.world > 1 and not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if self.options.device == "cuda" else "gloo")
        if self.options.device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        return torch.device(self.options.device)

    def _read(self, source: Source) -> list[Example]:
        examples, textless, mute = read_examples(source, self.model.vocabulary)
        limit = self.options.batches.longest * self.options.batches.sample_rate
        hours = sum(e.utterance.samples for e in examples) / self.options.batches.sample_rate / 3600
        long = sum(e.utterance.samples > limit for e in examples)
        left = f", {long} longer than {self.options.batches.longest:g} s left out" if long else ""
        left += f", {textless} without words left out" if textless else ""
        left += f"; no pronunciation for {len(mute)} words ({', '.join(mute[:5])})" if mute else ""
        self.console.print(
            f"{source.paths[0].parent}: {len(examples)} utterances, {hours:.2f} h, weight {source.weight:g}{left}"
        )
        return examples

    def _sentences(self, source: TextSource) -> TextBatches:
        options = self.options.text
        if not self.model.encoder.config.bottleneck:
            raise ValueError("Text trains the layers above a bottleneck, which this model has not.")
        sentences, left = read_sentences(source.sentences, self.model.vocabulary, options.longest)
        self.console.print(f"{source.sentences}: {len(sentences)} sentences, {left} left out")
        return TextBatches(sentences, PhoneBank.load(source.bank), options, self.options.seed)

    def _seconds(self, batch: Batch | TextBatch) -> float:
        if isinstance(batch, TextBatch):
            return float(batch.lengths.sum()) * self.model.seconds_per_frame
        return float(batch.samples.sum()) / self.options.batches.sample_rate

    def run(self) -> None:
        with training_bar(self.console) as bar:
            task = bar.add_task("training", total=self.options.steps, completed=self.progress.step)
            since, heard, recent = time.monotonic(), 0.0, list[dict[str, float]]()
            for batch in self._batches():
                recent.append(self._update(batch))
                heard += self._seconds(batch) * self.world
                self.progress.step += 1
                step = self.progress.step
                if step % self.options.report_every == 0 and self.rank == 0:
                    speed = heard / (time.monotonic() - since)
                    parts = _means(recent)
                    since, heard, recent = time.monotonic(), 0.0, []
                    losses = " ".join(
                        f"{name} {parts[name]:.2f}" for name in ("last", "phone", "text") if name in parts
                    )
                    bar.update(task, completed=step, description=losses)
                    self._log(
                        {"step": step, **parts, "rate": rate_at(step - 1, self.options), "times_real_time": speed}
                    )
                last = step >= self._end
                if (step % self.options.evaluate_every == 0 or last) and self.rank == 0:
                    self._evaluate(step)
                if (step % self.options.save_every == 0 or last) and self.rank == 0:
                    save_checkpoint(
                        self.output, self.model.encoder, self.average, self.optimizer, self.progress, self.run_settings
                    )

    def _batches(self) -> Iterator[Batch | TextBatch]:
        """Batches from where the run stands to its last step."""
        options, progress = self.options, self.progress
        share = Share(seed=options.seed, workers=options.workers, rank=self.rank, world=self.world)
        spoken: Iterator[Batch | TextBatch] = stream.speech(
            self.sources, options.batches, options.augment, progress, share
        )
        written: Iterator[Batch | TextBatch] = iter(())
        if self.text is not None:
            written = stream.text(self.text, math.floor(progress.step * options.text.share), share)
        while progress.step < self._end:
            yield next(written) if is_text(progress.step, options.text.share) else next(spoken)

    def _features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Augmented features [B, T, mels] and their frames [B]."""
        options = self.options
        with torch.no_grad():
            features, frames = self.model.features(batch.audio, batch.samples)
            seed = options.seed * 1_000_003 + self.progress.step * 64 + self.rank
            generator = torch.Generator().manual_seed(seed)
            if options.spec_augment.warp:
                hearing = self.model.features.options
                features = warp_bands(features, options.spec_augment, hearing.low, hearing.high, generator)
            return spec_augment(features, frames, options.spec_augment, generator), frames

    def _update(self, batch: Batch | TextBatch) -> dict[str, float]:
        options, step = self.options, self.progress.step
        batch = replace(
            batch, **{k: v.to(self.device, non_blocking=True) for k, v in vars(batch).items() if k != "texts"}
        )
        part: Part = "text"
        if isinstance(batch, Batch):
            part = "speech" if options.objective.subword else "sounds"
        inputs = self._features(batch) if isinstance(batch, Batch) else (batch.phones, batch.lengths)
        if self.text is not None:  # text is not learnt by heart: to drop something would only slow it down
            dropped = (options.dropout, options.layer_drop) if isinstance(batch, Batch) else (0.0, 0.0)
            self.model.encoder.regularise(*dropped)
        self.optimizer.set_rate(rate_at(step, options))
        torch.manual_seed(options.seed * 1_000_003 + step)  # of all processes alike: they must skip the same layers
        with fast_attention(self.device):
            with torch.autocast(self.device.type, torch.bfloat16):
                output = self.forward(part, *inputs)
            if isinstance(batch, Batch):
                loss, parts = objective(output, batch, options.objective)
            else:
                loss, parts = text_objective(output, batch, options.objective)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.encoder.parameters(), options.clip)
        if math.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.model.encoder, step)
        else:
            self.console.print(f"step {step}: the gradient is not finite; the batch is skipped")
        return {**parts, "norm": float(norm)}

    def _evaluate(self, step: int) -> None:
        current = {name: value.clone() for name, value in self.model.encoder.state_dict().items()}
        self.model.encoder.load_state_dict(self.average.weights)
        notes = {"step": step, "options": asdict(self.options)}
        if self.dev:
            results = evaluate(self.model.eval(), self.dev, self.options.batches)
            notes["dev"] = results
            self._log({"step": step, "dev": results})
            words, phones = (
                ", ".join(f"{corpus} {100 * rate:.1f} %" for corpus, rate in results[name].items())
                for name in ("wer", "per")
            )
            self.console.print(f"step {step}: dev WER {words}; phones {phones}; {results['example']}")
        save_model(self.model, self.output, notes=json.loads(json.dumps(notes, default=str)))
        self.model.encoder.load_state_dict(current)
        self.model.train()

    def _log(self, row: dict[str, Any]) -> None:
        self.output.mkdir(parents=True, exist_ok=True)
        with open(self.output / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(
                json.dumps({key: round(value, 5) if isinstance(value, float) else value for key, value in row.items()})
                + "\n"
            )


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each key the mean of the rows that have it."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: sum(row[key] for row in rows if key in row) / sum(key in row for row in rows) for key in keys}


def fast_attention(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """On a CPU the plain attention kernel is never slower than the fused one, and up to 14 % faster (docs/log.md)."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else contextlib.nullcontext()
