"""pyctcdecode 0.5.0 with hotwords (a single weight; phrases are taken apart into words).

Its scorer looks for the hotwords with one regular expression of the whole list, over the whole text, for each beam of
each frame, and makes it anew in every call: hours for a long list. The short cut is a scorer that finds the same words
in a set and the same prefixes in a table; only its time differs (run.py checks the texts), so times are taken without
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyctcdecode
from posteriors import Utterance
from pyctcdecode.constants import MIN_TOKEN_CLIP_P
from pyctcdecode.decoder import _log_softmax
from pyctcdecode.language_model import HotwordScorer
from system import List, Setting


@dataclass(frozen=True, kw_only=True)
class Options:
    hotword_weight: float = 10.0  # nats for each listed word
    beam: int = 32  # hypotheses
    token_min_logp: float = -5.0  # nats; labels below are skipped
    beam_prune_logp: float = -10.0  # nats below the best
    lm: bool = False  # use the setting's language model
    alpha: float = 0.5  # weight of the language model
    beta: float = 1.5  # nats a word
    unk_score_offset: float = -10.0  # nats, for a word that the model does not know


class Words:
    """The words of some phrases, and for each of their prefixes the length of the shortest word that has it."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self.words = frozenset(word for phrase in phrases for word in phrase.split())
        self.shortest: dict[str, int] = {}
        for word in sorted(self.words, key=len, reverse=True):
            for end in range(1, len(word) + 1):
                self.shortest[word[:end]] = len(word)


class FastScorer(HotwordScorer):
    """Scores as HotwordScorer does, without its regular expression and trie."""

    def __init__(self, parts: tuple[Words, ...], weight: float) -> None:
        self._parts, self._weight = parts, weight
        self._seen: dict[str, float] = {}

    def __contains__(self, token: str) -> bool:
        return any(token in part.shortest for part in self._parts)

    def score(self, text: str) -> float:
        found = self._seen.get(text)
        if found is None:
            count = sum(any(word in part.words for part in self._parts) for word in text.split())
            found = self._seen[text] = self._weight * count
        return found

    def score_partial_token(self, token: str) -> float:
        lengths = [part.shortest[token] for part in self._parts if token in part.shortest]
        return self._weight * len(token) / min(lengths) if lengths else 0.0


class Pyctcdecode:
    def __init__(self, setting: Setting, options: Options) -> None:
        labels = list(setting.vocabulary.labels)
        labels[setting.vocabulary.blank] = ""
        self.options = options
        self._fast = setting.fast
        self._others: tuple[tuple[str, ...], Words] | None = None
        arpa = str(setting.arpa) if options.lm else None
        weights = {"alpha": options.alpha, "beta": options.beta, "unk_score_offset": options.unk_score_offset}
        self._decoder = pyctcdecode.build_ctcdecoder(labels, arpa, **weights)

    @property
    def shares(self) -> None:
        return None

    def prepare(self, listed: List | None) -> Any:
        """The original makes its scorer inside each call, so there it counts as decoding."""
        if not self._fast:
            return listed.phrases if listed is not None else ()
        if listed is None:
            return (Words(()),)
        if self._others is None or self._others[0] is not listed.others:
            self._others = listed.others, Words(listed.others)
        return self._others[1], Words(listed.own)

    def decode(self, utterance: Utterance, prepared: Any) -> str:
        o = self.options
        common = {"beam_width": o.beam, "beam_prune_logp": o.beam_prune_logp, "token_min_logp": o.token_min_logp}
        if not self._fast:
            weight = o.hotword_weight
            return self._decoder.decode(utterance.log_probs, hotwords=prepared, hotword_weight=weight, **common)
        logits = np.clip(_log_softmax(utterance.log_probs, axis=1), np.log(MIN_TOKEN_CLIP_P), 0)
        scorer = FastScorer(prepared, o.hotword_weight)
        return self._decoder._decode_logits(logits, prune_history=True, hotword_scorer=scorer, **common)[0][0]


def make_pyctcdecode(setting: Setting, options: Mapping[str, Any]) -> Pyctcdecode:
    return Pyctcdecode(setting, Options(**{**asdict(Options()), **options}))
