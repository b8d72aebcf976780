"""asrbias's own decoder, by JointOptions, or DecodeOptions alone (and `lm`: true for the setting's language model)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from posteriors import Utterance
from system import List, Setting

import asrbias
from asrbias.adapter import levels
from asrbias.adapting import Adapted, Adapting
from asrbias.entities import EntityList
from asrbias.joint import JointDecoder, JointOptions
from asrbias.model import load_model

SHIPPED = Path(asrbias.__file__).with_name("models") / "starter" / "decode.json"


def shipped() -> dict[str, Any]:
    """What the starter's folder says."""
    return dict(json.loads(SHIPPED.read_text(encoding="utf-8")))


class Ours:
    def __init__(self, setting: Setting, options: Mapping[str, Any]) -> None:
        self._fast = setting.fast
        chosen = dict(options)
        model = None
        if chosen.pop("lm", False):
            from asrbias.lm import LanguageModel

            model = LanguageModel.read(setting.arpa)
        vocabulary, joint = setting.vocabulary, JointOptions.from_json(chosen)
        self.decoder = JointDecoder(vocabulary.labels, blank=vocabulary.blank, lm=model, options=joint)
        self.adapting = _adapting(joint)

    @property
    def shares(self) -> object:
        """Lists are kept inside a decoder, so no two share them."""
        return self

    def prepare(self, listed: List | None) -> EntityList | None:
        if not self._fast:  # a list that comes again would cost nothing
            for kept in self._kept():
                kept.clear()
        if listed is None:
            return None
        entities = EntityList(listed.entities)
        self.decoder.compile(entities)
        if self.decoder._lookup is not None:
            self.decoder._lookup.compile(entities)
        if self.adapting is not None:
            self.adapting.compile(entities)
        return entities

    def _kept(self) -> list[Any]:
        lookup = self.decoder._lookup
        return [self.decoder.search._cache, self.decoder._variants, *([lookup._kept] if lookup is not None else [])]

    def decode(self, utterance: Utterance, prepared: EntityList | None) -> str:
        adapted = self._adapted(utterance, prepared) if self.adapting is not None and prepared else None
        found = self.decoder.decode(utterance.log_probs, utterance.phones, prepared, adapted)
        return found[0].text if found else ""

    def _adapted(self, utterance: Utterance, prepared: EntityList) -> Adapted:
        """The layers that the adapter reads are made again of the phones, which are all that these layers hear."""
        import torch

        assert self.adapting is not None and utterance.phones is not None
        encoder, phones = self.adapting.encoder, np.asarray(utterance.phones, np.float32)
        with torch.inference_mode():
            output = encoder.spell(torch.from_numpy(phones)[None], torch.tensor([len(phones)]))
            hidden = [level[0] for level in levels(encoder, output)]
        return self.adapting(hidden, phones, prepared)


def _adapting(options: JointOptions) -> Adapting | None:
    """The starter's adapter, where the options have it on."""
    if options.adapter is None:
        return None
    model = load_model(SHIPPED.parent)
    assert model.adapter is not None and model.encoder.config.bottleneck
    return Adapting(model.encoder, model.adapter, model.vocabulary, options.adapter)


def make_ours(setting: Setting, options: Mapping[str, Any]) -> Ours:
    return Ours(setting, options)
