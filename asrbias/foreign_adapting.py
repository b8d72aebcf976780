"""A list at work in the adapter of a model of others (adapting.py), and that adapter on disk.

It differs in what an entity is made of: the model's own labels and their letters instead of phones
(foreign_letters.py). Of a longer list than `AdapterOptions.shortlist` those entities are attended to whose letters look
most like a part of what the model writes without a list.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asrbias.adapter import AdapterConfig, ContextualAdapter
from asrbias.adapter_files import checksum, load_adapter
from asrbias.adapter_input import Row
from asrbias.adapting import FORMS, AdapterOptions, Adapting, Matrix
from asrbias.entities import EntityList
from asrbias.foreign import ForeignModel, ForeignModelError
from asrbias.foreign_letters import Letters

if TYPE_CHECKING:
    from torch import Tensor

    from asrbias.adapting import _List
    from asrbias.foreign_torch import TorchInside


class ForeignAdapting(Adapting):
    """What `Adapting` is, of a ForeignModel with an adapter. Its `phone_log_probs` are the labels' [T, V]."""

    def __init__(self, model: ForeignModel, options: AdapterOptions | None = None) -> None:
        assert model.adapter is not None
        base: Any = opened(model)  # of an encoder only the head is used, of a vocabulary labels and blank
        vocabulary: Any = model.vocabulary
        super().__init__(base, model.adapter, vocabulary, options)
        self._letters = Letters.of(vocabulary.labels, vocabulary.blank)

    def _sounds(self, phone_log_probs: Matrix) -> Tensor:
        import torch

        return torch.from_numpy(self._letters.heard(phone_log_probs))

    def _read(self, entities: EntityList) -> _List:
        from asrbias.adapting import _List

        forms = entities.forms(self._letters.spelling.charset)
        texts: dict[int, list[str]] = {}
        for text, entity, weight in zip(forms.texts, forms.entity.tolist(), forms.weight.tolist(), strict=True):
            if weight > 0:
                own = [form for kind in entities.spoken[entity] for form in kind]
                texts.setdefault(entity, []).append(text)
                texts[entity].sort(key=lambda form: own.index(form) if form in own else len(own))
        rows: dict[int, list[Row]] = {}
        for entity, some in sorted(texts.items()):
            made = [row for form in some[:FORMS] if (row := self._letters.row(form, self.adapter.config.longest))]
            if made:
                rows[entity] = made
        long = len(rows) > self.options.shortlist
        index: Any = LooksIndex({entity: texts[entity][0] for entity in rows}, self._letters) if long else None
        return _List(entities, index, rows)


class LooksIndex:
    """Finds, for one utterance, the entities that look most like a part of its text."""

    def __init__(self, texts: dict[int, str], letters: Letters) -> None:
        self._entities, self._letters = tuple(texts), letters
        self._texts = [text.replace(" ", "") for text in texts.values()]

    def choose(self, log_probs: Matrix, *, most: int = 100) -> tuple[int, ...]:
        """[T, V] -> positions in the EntityList, best first, at most `most`; of those alike the longer first."""
        from rapidfuzz.fuzz import partial_ratio
        from rapidfuzz.process import cdist

        heard = self._letters.text(log_probs).replace(" ", "")
        likeness = cdist([heard], self._texts, scorer=partial_ratio)[0]
        order = np.lexsort((-np.array([len(text) for text in self._texts]), -likeness))  # stable: then the list's order
        return tuple(self._entities[n] for n in order[:most].tolist())


def opened(model: ForeignModel) -> TorchInside:
    """What an adapter reads and writes through. Raises ForeignModelError where there is nothing of the kind."""
    if model.inside is None:
        raise ForeignModelError(
            f"{model.name} shows nothing but posteriors; an adapter needs the hidden states of a torch model (hf:, "
            "torchaudio:)."
        )
    return model.inside


def new_adapter(model: ForeignModel, **sizes: Any) -> ContextualAdapter:
    """One that adds nothing yet; `sizes` are fields of AdapterConfig."""
    width, levels = opened(model).sizes
    letters = Letters.of(model.vocabulary.labels, model.vocabulary.blank).letters
    config = AdapterConfig(
        vocabulary=len(model.vocabulary), phones=1 + len(letters), hidden=width, levels=levels, **sizes
    )
    return ContextualAdapter(config)


def use_adapter(model: ForeignModel, folder: Path) -> None:
    """Give a model the adapter in a folder, which must have been trained on it.

    Raises ForeignModelError where the model cannot have one, ModelError for a folder without an adapter, or with that
    of another model.
    """
    inside = opened(model)
    adapter = load_adapter(folder, belongs=checksum(inside.module), name=model.name)
    model.adapter = adapter.to(inside.device)
