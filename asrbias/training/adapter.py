"""Training of a contextual adapter from text: the base is frozen, text and a bank of phone posteriors in, a folder out.

With a bottleneck all that the upper layers hear is phone posteriors, so that an adapter can learn from sentences that
nobody said, with any number of names (training/text.py, training/lists.py). The training itself is adapterrun.py.
"""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from asrbias.adapter import AdapterConfig, ContextualAdapter, levels
from asrbias.adapter_files import checksum as checksum
from asrbias.adapter_files import head_digest
from asrbias.model import Model
from asrbias.training.adapterrun import AdapterRun, Base
from asrbias.training.adapterrun import AdapterTrainOptions as AdapterTrainOptions
from asrbias.training.adapterrun import attention_loss as attention_loss
from asrbias.training.adaptertext import AdapterBatch, AdapterText
from asrbias.training.heard import Heard
from asrbias.training.lists import ListMaker
from asrbias.training.phonebank import PhoneBank
from asrbias.training.text import TextBatches, TextOptions, TextSource, read_sentences


class AdapterTrainer(AdapterRun):
    """Trains an adapter for `model`, whose weights stay as they are, or goes on where `output` stopped."""

    def __init__(
        self,
        model: Model,
        source: TextSource,
        output: Path,
        options: AdapterTrainOptions,
        *,
        adapter: ContextualAdapter | None = None,
        dev: Heard | None = None,
        quiet: bool = False,
    ) -> None:
        if not model.encoder.config.bottleneck:
            raise ValueError(
                "The model has no bottleneck, and so its upper layers cannot learn from text; train an adapter on a "
                "model with one (recipes/starter/phone_bottleneck.py)."
            )
        device, console = torch.device(options.device), Console(quiet=quiet)
        self.model, self.dev = model.to(device).eval().requires_grad_(False), dev
        torch.manual_seed(options.seed)
        made = (adapter or ContextualAdapter(AdapterConfig.of(model.encoder.config))).to(device).train()
        sentences, left = read_sentences(source.sentences, model.vocabulary, options.longest)
        console.print(f"{source.sentences}: {len(sentences)} sentences, {left} left out")
        text = TextOptions(share=1.0, seconds=options.seconds, longest=options.longest)
        batches = TextBatches(sentences, PhoneBank.load(source.bank), text, options.seed)
        lists = ListMaker([tuple(one.text.split()) for one in sentences], options.lists)
        self.text = AdapterText(batches, lists, model.vocabulary, made.config)
        base = Base(
            module=model.encoder, blank=0, seconds_per_frame=model.seconds_per_frame, belongs=head_digest(model.encoder)
        )
        run = {"text": [str(source.sentences), str(source.bank)]}
        super().__init__(base, self.text, made, output, options, run=run, console=console)

    def hidden(self, batch: AdapterBatch) -> tuple[Tensor, ...]:
        return levels(self.model.encoder, self.model.encoder.spell(batch.phones, batch.lengths))

    def spell(self, hidden: Tensor) -> Tensor:
        return self.model.encoder.head(hidden)  # type: ignore[no-any-return]

    def figures(self, adapter: ContextualAdapter) -> dict[str, float]:
        return self.dev.evaluate(self.model.encoder, adapter) if self.dev is not None else {}
