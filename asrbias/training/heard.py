"""Real speech that a frozen encoder has heard once, to judge adapters on: greedy search, with and without a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asrbias.adapter import ContextualAdapter, levels
from asrbias.adapter_input import entity_rows, pad_rows
from asrbias.encoder import Encoder
from asrbias.model import Model
from asrbias.score import score
from asrbias.text import normalise
from asrbias.tokens import Vocabulary
from asrbias.training.data import BatchDataset, BatchOptions, Source, plan_epoch, read_examples
from asrbias.training.evaluate import greedy


@dataclass(frozen=True, eq=False)
class Spoken:
    """An utterance as the layers above the phone head get it."""

    hidden: tuple[Tensor, ...]  # levels, [T, D] each, bfloat16
    phones: Tensor  # [T, P] natural logarithms
    text: str  # matching form
    entities: tuple[str, ...]  # that are said, matching form


class Heard:
    """Utterances with their entities, and distractors.

    Args:
        counts: how many distractors each utterance's own entities are put among.
        alone: distractors of a list of which nothing is said; 0: none such.
    """

    def __init__(
        self,
        spoken: Sequence[Spoken],
        distractors: Sequence[str],
        vocabulary: Vocabulary,
        *,
        counts: Sequence[int] = (100,),
        alone: int = 1000,
    ) -> None:
        self.spoken, self.vocabulary, self.counts, self.alone = spoken, vocabulary, tuple(counts), alone
        self.distractors = [form for text in distractors if (form := normalise(text))]

    @classmethod
    def of(
        cls,
        model: Model,
        source: Source,
        distractors: Sequence[str],
        *,
        counts: Sequence[int] = (100,),
        alone: int = 1000,
    ) -> Heard:
        """The utterances of packed speech whose index has `entities`."""
        examples, _, _ = read_examples(source, model.vocabulary)
        plan = plan_epoch([(examples, 1.0)], BatchOptions(seconds=120.0), 0, 0)
        batches = BatchDataset(plan, None, 0)
        spoken: list[Spoken] = []
        for number, items in enumerate(plan):
            batch = batches[number]
            with torch.inference_mode():
                output = model(batch.audio, batch.samples)
                hidden = levels(model.encoder, output)
            for row, item in enumerate(items):
                size = int(output.lengths[row])
                own = tuple(form for text in item.utterance.entities if (form := normalise(text)))
                half = tuple(x[row, :size].bfloat16() for x in hidden)
                spoken.append(Spoken(half, output.phones[row, :size].clone(), item.text, own))
        return cls(spoken, distractors, model.vocabulary, counts=counts, alone=alone)

    def evaluate(self, encoder: Encoder, adapter: ContextualAdapter) -> dict[str, float]:
        """Percent: WER and entity F1 without list, with each count of distractors, and WER and false hits alone."""
        nothing = self._read(encoder, adapter, [()] * len(self.spoken))
        figures = self._figures(nothing, [()] * len(self.spoken), "none")
        for count in self.counts:
            lists = [(*one.entities, *self.distractors[:count]) for one in self.spoken]
            figures |= self._figures(self._read(encoder, adapter, lists), lists, str(count))
        if self.alone:
            lists = [tuple(self.distractors[: self.alone])] * len(self.spoken)
            figures |= self._figures(self._read(encoder, adapter, lists), lists, "alone")
        return figures

    def _figures(self, texts: Sequence[str], lists: Sequence[tuple[str, ...]], name: str) -> dict[str, float]:
        totals = score(
            [one.text for one in self.spoken], texts, entities=[one.entities for one in self.spoken], lists=lists
        ).totals
        found = {f"wer_{name}": totals.wer.error_rate or 0.0, f"f1_{name}": totals.entities.f1 or 0.0}
        return found | {f"hits_{name}": float(totals.entities.false_hits)}

    @torch.inference_mode()
    def _read(self, encoder: Encoder, adapter: ContextualAdapter, lists: Sequence[tuple[str, ...]]) -> list[str]:
        """Greedy texts."""
        phrases = list(dict.fromkeys(phrase for one in lists for phrase in one))
        number = {phrase: index for index, phrase in enumerate(phrases)}
        embedded = adapter.embed(pad_rows(entity_rows(phrases, self.vocabulary, adapter.config)))
        texts = []
        for one, phrases_of in zip(self.spoken, lists, strict=True):
            hidden = [x[None].float() for x in one.hidden]
            lengths = torch.tensor([hidden[-1].shape[1]])
            some = embedded.pick([number[phrase] for phrase in dict.fromkeys(phrases_of)])
            told = adapter(hidden, lengths, some, phones=one.phones[None])
            texts.append(self.vocabulary.decode(greedy(encoder.head(told.hidden), lengths)[0]))
        return texts
