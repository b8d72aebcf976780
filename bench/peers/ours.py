"""asrbias's own decoder, by the fields of DecodeOptions (and `lm`: true for the setting's language model)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posteriors import Utterance
from system import List, Setting

from asrbias.decoder import DecodeOptions, Decoder
from asrbias.entities import EntityList
from asrbias.phrases import Phrases


class Ours:
    def __init__(self, setting: Setting, options: Mapping[str, Any]) -> None:
        self._fast = setting.fast
        chosen = dict(options)
        model = None
        if chosen.pop("lm", False):
            from asrbias.lm import LanguageModel

            model = LanguageModel.read(setting.arpa)
        self.decoder = Decoder(
            setting.vocabulary.labels, blank=setting.vocabulary.blank, lm=model, options=DecodeOptions(**chosen)
        )

    @property
    def shares(self) -> None:
        return None

    def prepare(self, listed: List | None) -> Phrases | None:
        if not self._fast:
            self.decoder._cache.clear()  # a list that comes again would cost nothing
        return None if listed is None else self.decoder.compile(EntityList(listed.entities))

    def decode(self, utterance: Utterance, prepared: Phrases | None) -> str:
        found = self.decoder.decode(utterance.log_probs, prepared)
        return found[0].text if found else ""


def make_ours(setting: Setting, options: Mapping[str, Any]) -> Ours:
    return Ours(setting, options)
