"""asrbias's own decoder, by JointOptions, or DecodeOptions alone (and `lm`: true for the setting's language model)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posteriors import Utterance
from system import List, Setting

import asrbias
from asrbias.entities import EntityList
from asrbias.joint import JointDecoder, JointOptions

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
        vocabulary = setting.vocabulary
        self.decoder = JointDecoder(
            vocabulary.labels, blank=vocabulary.blank, lm=model, options=JointOptions.from_json(chosen)
        )

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
        return entities

    def _kept(self) -> list[Any]:
        lookup = self.decoder._lookup
        return [self.decoder.search._cache, self.decoder._variants, *([lookup._kept] if lookup is not None else [])]

    def decode(self, utterance: Utterance, prepared: EntityList | None) -> str:
        found = self.decoder.decode(utterance.log_probs, utterance.phones, prepared)
        return found[0].text if found else ""


def make_ours(setting: Setting, options: Mapping[str, Any]) -> Ours:
    return Ours(setting, options)
