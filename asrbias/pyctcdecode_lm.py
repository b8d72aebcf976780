"""Our language model as pyctcdecode's search asks for one, so that kenlm is not needed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pyctcdecode.constants import AVG_TOKEN_LEN
from pyctcdecode.language_model import AbstractLanguageModel

if TYPE_CHECKING:
    from asrbias.lm import LanguageModel
    from asrbias.pyctcdecode_decoder import PyctcdecodeOptions

State = tuple[str, ...]  # the latest words, as many as the model looks back
LOG10 = math.log(10)


class WordModel(AbstractLanguageModel):  # type: ignore[misc]
    """Scores as pyctcdecode.LanguageModel does with kenlm."""

    def __init__(self, lm: LanguageModel, options: PyctcdecodeOptions) -> None:
        self._lm, self._options = lm, options
        self._prefixes = frozenset(word[:end] for word in lm.words for end in range(1, len(word) + 1))

    @property
    def order(self) -> int:
        return self._lm.order

    def get_start_state(self) -> State:
        return ()

    def score_partial_token(self, partial_token: str) -> float:
        """Nats for an open word that begins like none of the model's."""
        if partial_token in self._prefixes:
            return 0.0
        return self._options.unk_score_offset * max(1.0, len(partial_token) / float(AVG_TOKEN_LEN))

    def score(self, prev_state: State, word: str, is_last_word: bool = False) -> tuple[float, State]:
        """Nats of a word after a state (with the last one, of </s> too), and the state after it.

        Where a text ends in a separator its last word is "", an unknown one; so it is with kenlm.
        """
        words = (*prev_state, word)
        *_, found, end = self._lm.native.sentence(words)
        found += end if is_last_word else 0.0
        found += 0.0 if word in self._lm else self._options.unk_score_offset * LOG10
        return self._options.alpha * found + self._options.beta, words[len(words) - self.order + 1 :]
