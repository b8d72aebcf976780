"""NeMo's CTC word spotter (Andrusenko et al. 2024, arXiv 2406.07096), and greedy decoding, into which it puts words.

Only the three files that setup.sh took from nemo_toolkit are used; what they import beside them is stood in for here.
Done for it, so that nothing but the method is judged: short phrases come first (a phrase that begins a longer one is
lost otherwise), and a lone "▁" is joined to its next piece (the merge would eat that piece's first letter).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import sentencepiece
from posteriors import Utterance
from system import List, Setting

from asrbias.tokens import WORD_START


def _stand_ins() -> None:
    """What context_biasing_utils.py imports and the merge does not use."""
    parts = {
        "kaldialign": {"align": None},
        "nemo.collections.asr.parts.utils": {"rnnt_utils": SimpleNamespace(Hypothesis=object)},
        "nemo.collections.asr.parts.utils.manifest_utils": {"read_manifest": None},
        "nemo.utils": {"logging": None},
    }
    for name, values in parts.items():
        module = sys.modules.setdefault(name, ModuleType(name))
        module.__dict__.update(values)


_stand_ins()
from nemo.collections.asr.parts.context_biasing.context_biasing_utils import merge_alignment_with_ws_hyps  # noqa: E402
from nemo.collections.asr.parts.context_biasing.context_graph_ctc import ContextGraphCTC  # noqa: E402
from nemo.collections.asr.parts.context_biasing.ctc_based_word_spotter import run_word_spotter  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Options:
    cb_weight: float = 3.0  # nats for each piece of a phrase
    ctc_ali_token_weight: float = 0.5  # nats for each piece of the greedy words that a phrase is compared with
    beam_threshold: float = 5.0  # nats
    keyword_threshold: float = -5.0  # nats; a phrase needs more
    intersection_threshold: float = 30.0  # percent of a greedy word that a phrase must cover to replace it
    segmentations: int = 1  # of each phrase, the likeliest by SentencePiece


class _Tokenizer:
    """The one call of NeMo's tokenizer that is made. Numbers from V on are pieces that follow a lone "▁"."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels = [*labels, *(WORD_START + label.removeprefix(WORD_START) for label in labels)]

    def ids_to_tokens(self, numbers: list[int]) -> list[str]:
        return [self._labels[number] for number in numbers]


class Greedy:
    """The best label of each frame."""

    def __init__(self, setting: Setting) -> None:
        self.vocabulary = setting.vocabulary

    @property
    def shares(self) -> None:
        return None

    def prepare(self, listed: List | None) -> None:
        return None

    def decode(self, utterance: Utterance, prepared: Any) -> str:
        return self.vocabulary.decode([int(label) for label, _ in groupby(utterance.log_probs.argmax(1))])


class Spotter:
    def __init__(self, setting: Setting, options: Options) -> None:
        self.options = options
        self.vocabulary = setting.vocabulary
        self._greedy = Greedy(setting)
        self._fast = setting.fast
        self._segmented: dict[str, list[list[int]]] = {}
        self._model = SimpleNamespace(tokenizer=_Tokenizer(self.vocabulary.labels))
        self._pieces = sentencepiece.SentencePieceProcessor(model_proto=self.vocabulary.sentencepiece)

    @property
    def shares(self) -> int:
        return self.options.segmentations

    def prepare(self, listed: List | None) -> ContextGraphCTC | None:
        if listed is None:
            return None
        graph = ContextGraphCTC(blank_id=self.vocabulary.blank)
        graph.add_to_graph([(phrase, self._segment(phrase)) for phrase in listed.phrases])
        return graph

    def _segment(self, phrase: str) -> list[list[int]]:
        found = self._segmented.get(phrase)
        if found is None:
            count = self.options.segmentations
            best = self._pieces.nbest_encode_as_ids(phrase, count) if count > 1 else [self._pieces.encode(phrase)]
            found = list(map(list, best))
            if self._fast:
                self._segmented[phrase] = found
        return found

    def decode(self, utterance: Utterance, prepared: ContextGraphCTC | None) -> str:
        if prepared is None:
            return self._greedy.decode(utterance, None)
        o, blank = self.options, self.vocabulary.blank
        spotted = run_word_spotter(
            utterance.log_probs,
            prepared,
            self._model,
            blank_idx=blank,
            beam_threshold=o.beam_threshold,
            cb_weight=o.cb_weight,
            ctc_ali_token_weight=o.ctc_ali_token_weight,
            keyword_threshold=o.keyword_threshold,
        )
        if not spotted:  # as NeMo's own script does: the merge needs a phrase
            return self._greedy.decode(utterance, None)
        best = self._joined(utterance.log_probs.argmax(1))
        text, _ = merge_alignment_with_ws_hyps(
            best, self._model, spotted, "ctc", intersection_threshold=o.intersection_threshold, blank_idx=blank
        )
        return " ".join(text.split())

    def _joined(self, best: npt.NDArray[np.int64]) -> list[int]:
        """The best labels, a lone "▁" as blank and the piece after it as one that begins a word."""
        if WORD_START not in self.vocabulary.labels:
            return best.tolist()
        lone, blank = self.vocabulary.labels.index(WORD_START), self.vocabulary.blank
        joined: list[int] = []
        opened, previous = False, blank
        for label in best.tolist():
            if label == lone:
                opened = True
                joined.append(blank)
            elif label == blank:
                joined.append(blank)
            elif label == previous:
                joined.append(joined[-1])
            else:
                joined.append(label + len(self.vocabulary) * opened)
                opened = False
            previous = label
        return joined


def make_greedy(setting: Setting, options: Mapping[str, Any]) -> Greedy:
    return Greedy(setting)


def make_spotter(setting: Setting, options: Mapping[str, Any]) -> Spotter:
    return Spotter(setting, Options(**{**asdict(Options()), **options}))
