"""Language models as pyctcdecode's classes have them; files are read by asrbias.lm, so kenlm is not needed.

    model = LanguageModel("model.arpa", unigrams, alpha=0.5, beta=1.5)      # or a kenlm.Model
"""

from __future__ import annotations

import abc
import json
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from asrbias import lm
from asrbias.compat.pyctcdecode.constants import (
    AVG_TOKEN_LEN,
    DEFAULT_ALPHA,
    DEFAULT_BETA,
    DEFAULT_SCORE_LM_BOUNDARY,
    DEFAULT_UNK_LOGP_OFFSET,
    LOG_BASE_CHANGE_FACTOR,
)
from asrbias.compat.pyctcdecode.hotwords import HotwordScorer as HotwordScorer
from asrbias.compat.pyctcdecode.hotwords import SortedWords
from asrbias.decode_options import DecoderError, DecoderTypeError

State = tuple[str, ...]  # the latest words, as many as the model looks back; where there are fewer, <s> is before them
UNHEARD = "\U0010fffd"  # a word that no model knows and no label spells: what stands before a text without <s>
FEW = 1000  # unigrams; with fewer a warning is logged, as pyctcdecode does

logger = logging.getLogger(__name__)


def load_unigram_set_from_arpa(arpa_path: str) -> set[str]:
    """The words of an ARPA file. Raises LanguageModelError (a ValueError) for a file that is none."""
    return set(lm.LanguageModel.read(arpa_path).words)


class AbstractLanguageModel(abc.ABC):
    """What the decoder asks of a language model. One of your own is asked at the end of the search only."""

    @property
    @abc.abstractmethod
    def order(self) -> int:
        """How many words its longest n-grams have."""

    @abc.abstractmethod
    def get_start_state(self) -> Any:
        """The state before the first word."""

    @abc.abstractmethod
    def score_partial_token(self, partial_token: str) -> float:
        """Nats of an open word."""

    @abc.abstractmethod
    def score(self, prev_state: Any, word: str, is_last_word: bool = False) -> tuple[float, Any]:
        """Nats of a word after a state, with the text's end if it is the last; and the state after the word."""

    def save_to_dir(self, filepath: str) -> None:
        """Write all files of the model into a folder that exists."""
        raise NotImplementedError(f"{type(self).__name__} cannot be saved; give it a method save_to_dir.")

    @classmethod
    def load_from_dir(cls, filepath: str) -> AbstractLanguageModel:
        """Read what `save_to_dir` wrote."""
        raise NotImplementedError(f"{cls.__name__} cannot be loaded; give it a method load_from_dir.")

    def reset_params(self, **params: Any) -> None:
        """Change parameters; one that is None stays. A model without any need not have this."""
        return


class LanguageModel(AbstractLanguageModel):
    """A word n-gram model with its weights.

    Args:
        kenlm_model: the path of an ARPA file or a KenLM binary, a kenlm.Model (whose file is read), or an
            asrbias LanguageModel.
        unigrams: the words that count as known; None: all of the model.
        alpha: factor of the log probabilities. beta: nats a word. unk_score_offset: log10 units, times alpha, for an
            unknown word. score_boundary: whether <s> and </s> are scored.
    Raises:
        LanguageModelError, OSError: a file that cannot be read.
    """

    JSON_ATTRS = ("alpha", "beta", "unk_score_offset", "score_boundary")
    _ATTRS_SERIALIZED_FILENAME = "attrs.json"
    _UNIGRAMS_SERIALIZED_FILENAME = "unigrams.txt"

    def __init__(
        self,
        kenlm_model: Any,
        unigrams: Collection[str] | None = None,
        alpha: float = DEFAULT_ALPHA,
        beta: float = DEFAULT_BETA,
        unk_score_offset: float = DEFAULT_UNK_LOGP_OFFSET,
        score_boundary: bool = DEFAULT_SCORE_LM_BOUNDARY,
    ) -> None:
        self.path, self.model = _opened(kenlm_model)
        if unigrams is None:
            logger.warning("No unigrams were given: an open word that no word of the model begins with costs no more.")
        elif len(unigrams) < FEW:
            logger.warning("Only %s unigrams were given as the vocabulary.", len(unigrams))
        self._unigram_set = {word for word in unigrams or () if word in self.model}
        if unigrams and len(self._unigram_set) < 0.1 * len(unigrams):
            logger.warning("The model knows fewer than a tenth of the unigrams: are they of its language?")
        self._starts = SortedWords(self._unigram_set) if unigrams is not None else None
        self.alpha = alpha
        self.beta = beta
        self.unk_score_offset = unk_score_offset
        self.score_boundary = score_boundary

    def reset_params(self, **params: Any) -> None:
        """alpha, beta, unk_score_offset: float; score_boundary: bool. Raises ValueError for another type."""
        for name in self.JSON_ATTRS:
            value = params.get(name)
            kind = bool if name == "score_boundary" else float
            if value is None:
                continue
            if not isinstance(value, kind):
                raise ValueError(f"{name} is {value!r}; it must be a {kind.__name__}.")
            setattr(self, name, value)

    @property
    def order(self) -> int:
        return self.model.order

    def knows(self, word: str) -> bool:
        """Whether a word costs no unk_score_offset."""
        return word in self._unigram_set if self._unigram_set else word in self.model

    @property
    def told_apart(self) -> set[str] | None:
        """The words that the search may tell from unknown ones; None for all of the model.

        Of words that are no unigrams it takes the score of <unk>; the scores of what it found are exact.
        """
        return self._unigram_set if self._unigram_set and self.unk_score_offset != 0 else None

    def get_start_state(self) -> State:
        return () if self.score_boundary else (UNHEARD,)

    def score_partial_token(self, partial_token: str) -> float:
        unknown = self._starts is None or not self._starts.has_node(partial_token)
        return self.unk_score_offset * unknown * max(1.0, len(partial_token) / AVG_TOKEN_LEN)

    def score(self, prev_state: State, word: str, is_last_word: bool = False) -> tuple[float, State]:
        words = (*checked_state(prev_state), word)
        *_, log_prob, end = self.model.native.sentence(words)
        log10 = log_prob / LOG_BASE_CHANGE_FACTOR
        if not self.knows(word):
            log10 += self.unk_score_offset
        if is_last_word and self.score_boundary:
            log10 += end / LOG_BASE_CHANGE_FACTOR
        return self.alpha * log10 * LOG_BASE_CHANGE_FACTOR + self.beta, words[max(0, len(words) - self.order + 1) :]

    # --- files: attrs.json, unigrams.txt (empty for None) and the model's own; nothing else but hidden ones ---

    @property
    def serializable_attrs(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.JSON_ATTRS}

    def save_to_dir(self, filepath: str, unigram_encoding: str | None = None) -> None:
        """Raises DecoderError for a model that was not read from a file of its own."""
        if self.path is None:
            raise DecoderError("This language model was not given as a file; give LanguageModel its path to save it.")
        folder = Path(filepath)
        (folder / self._ATTRS_SERIALIZED_FILENAME).write_text(json.dumps(self.serializable_attrs))
        with open(folder / self._UNIGRAMS_SERIALIZED_FILENAME, "w", encoding=unigram_encoding) as file:
            file.writelines(word + "\n" for word in sorted(self._unigram_set))
        shutil.copy2(self.path, folder / self.path.name)

    @staticmethod
    def parse_directory_contents(filepath: str) -> dict[str, str]:
        """The paths of the three files. Raises ValueError where they are others."""
        attrs, unigrams = LanguageModel._ATTRS_SERIALIZED_FILENAME, LanguageModel._UNIGRAMS_SERIALIZED_FILENAME
        names = sorted(name for name in os.listdir(filepath) if not name.startswith((".", "__")))
        models = [name for name in names if name not in (attrs, unigrams)]
        if len(names) != 3 or len(models) != 1 or not models[0].endswith((".arpa", ".bin", ".binary")):
            raise ValueError(
                f"{filepath} holds {', '.join(names) or 'nothing'}; a language model's folder holds {attrs}, "
                f"{unigrams} and one file that ends in .arpa, .bin or .binary."
            )
        paths = {"json_attrs": attrs, "unigrams": unigrams, "kenlm": models[0]}
        return {key: os.path.join(filepath, name) for key, name in paths.items()}

    @classmethod
    def load_from_dir(cls, filepath: str, unigram_encoding: str | None = None) -> LanguageModel:
        """Raises ValueError for other files, or other keys in attrs.json."""
        paths = cls.parse_directory_contents(filepath)
        attrs = json.loads(Path(paths["json_attrs"]).read_text())
        if set(attrs) != set(cls.JSON_ATTRS):
            raise ValueError(f"{paths['json_attrs']} has the keys {', '.join(attrs)}; it must have {cls.JSON_ATTRS}.")
        unigrams = Path(paths["unigrams"]).read_text(encoding=unigram_encoding).splitlines()
        return cls(paths["kenlm"], unigrams, **attrs)


class MultiLanguageModel(AbstractLanguageModel):
    """The mean of several models' scores. The search is led by the first; all of them decide between what it found.

    Raises ValueError for fewer than two models.
    """

    def __init__(self, language_models: list[LanguageModel]) -> None:
        if len(language_models) < 2:
            raise ValueError(f"A MultiLanguageModel needs 2 models or more, not {len(language_models)}.")
        self.language_models = language_models

    @property
    def order(self) -> int:
        return max(model.order for model in self.language_models)

    def get_start_state(self) -> list[Any]:
        return [model.get_start_state() for model in self.language_models]

    def score_partial_token(self, partial_token: str) -> float:
        return sum(m.score_partial_token(partial_token) for m in self.language_models) / len(self.language_models)

    def score(self, prev_state: list[Any], word: str, is_last_word: bool = False) -> tuple[float, list[Any]]:
        pairs = zip(self.language_models, prev_state, strict=True)
        scores, states = zip(*(model.score(state, word, is_last_word) for model, state in pairs), strict=True)
        return sum(scores) / len(scores), list(states)


def checked_state(state: Any) -> State:
    """Raises DecoderTypeError for what is no state of a LanguageModel."""
    if not isinstance(state, tuple):
        raise DecoderTypeError(
            f"The language model's state is {type(state).__name__}; give one that decode_beams, get_start_state or "
            "score has returned."
        )
    return state


def _opened(model: Any) -> tuple[Path | None, lm.LanguageModel]:
    """A model's file, where it has one, and the model."""
    if isinstance(model, lm.LanguageModel):
        return None, model
    path = getattr(model, "path", model)  # a kenlm.Model's is in bytes
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, (str, os.PathLike)):
        raise DecoderTypeError(f"kenlm_model is {type(model).__name__}; give a file's path or a kenlm.Model.")
    return Path(path), lm.LanguageModel.read(path)
