"""The native search, asked with pyctcdecode's options and labels.

Labels keep their case and diacritics. Two more, that no model emits, lead a text that does not start at <s>: frames in
which one of them or a label of an earlier word is certain stand before the utterance's own, so the search begins in the
language model's state and nothing else changes.
"""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias import _core
from asrbias.alignment import LogProbsError
from asrbias.compat.pyctcdecode.alphabet import BPE_TOKEN, Alphabet
from asrbias.compat.pyctcdecode.constants import MIN_TOKEN_CLIP_P
from asrbias.compat.pyctcdecode.language_model import UNHEARD, LanguageModel, State
from asrbias.decode_options import DecodeOptions, DecoderError
from asrbias.decoder import UnusableEntityWarning
from asrbias.pyctcdecode_words import segmentations

Array = npt.NDArray[np.floating[Any]]
Spans = tuple[tuple[int, int], ...]
CACHED_LISTS = 32  # compiled lists of hotwords that a decoder keeps


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of one call of a decoder; the meaning of each is pyctcdecode's."""

    beam_width: int  # hypotheses kept after each frame
    beam_prune_logp: float  # nats, 0 or less; a hypothesis this far below the best is dropped
    token_min_logp: float  # nats; labels below are skipped, but for a frame's best
    prune_history: bool  # whether of hypotheses that end alike only the best is returned
    hotword_weight: float  # nats a hotword

    def __post_init__(self) -> None:
        width: Any = self.beam_width
        if isinstance(width, bool) or not isinstance(width, (int, np.integer)) or width < 1:
            raise DecoderError(f"beam_width is {width!r}; it must be a whole number, 1 or more.")
        for name in ("beam_prune_logp", "token_min_logp", "hotword_weight"):
            if math.isnan(getattr(self, name)):
                raise DecoderError(f"{name} is NaN; it must be a number.")
        if self.beam_prune_logp > 0:
            raise DecoderError(f"beam_prune_logp is {self.beam_prune_logp:g}; it must be 0 or less (nats).")
        if math.isinf(self.hotword_weight):
            raise DecoderError(f"hotword_weight is {self.hotword_weight:g}; it must be finite.")


@dataclass(frozen=True)
class Found:
    """A label sequence that the search found."""

    tokens: tuple[int, ...]
    frames: Spans  # first and last frame of each, by forced alignment
    log_prob: float  # nats, summed over the alignments that the beam found


class Search:
    """The native search for one alphabet and language model. Safe to use from several threads."""

    def __init__(self, alphabet: Alphabet) -> None:
        labels = alphabet.labels
        self.size = len(labels)
        self.blank = labels.index("")
        self._other_blanks = [at for at, label in enumerate(labels) if not label and at != self.blank]
        self.spelled = [label.replace(BPE_TOKEN, " ") for label in labels] if alphabet.is_bpe else labels
        self.pieces = [(text[:1] == " ", text.strip(" "), text[-1:] == " ") for text in self.spelled]
        self._unheard, self._separator = self.size, self.size + 1
        self._vocabulary = _core.Vocabulary([*self.spelled, UNHEARD, " "], self.blank)
        self._index = {text: token for token, text in enumerate(self.spelled) if text}
        self._hotwords: OrderedDict[tuple[frozenset[str], bool], _core.Automaton] = OrderedDict()
        self._lm: tuple[object, object, _core.LmTrie] | None = None  # made of a model and of which of its words

    def decode(
        self,
        log_probs: Sequence[Array],
        settings: Settings,
        nbest: int,
        *,
        hotwords: frozenset[str],
        model: LanguageModel | None,
        state: State | None,
        threads: int,
    ) -> list[list[Found]]:
        """For each matrix [T, V] of finite log probabilities the n-best, best first."""
        start = self._lead_in(model, state) if model is not None and state else []
        kept = [self._kept(matrix, settings.token_min_logp) for matrix in log_probs]
        listed = bool(hotwords) and settings.hotword_weight != 0
        automaton = self._automaton(hotwords, settings.hotword_weight > 0) if listed else None
        options = self._options(settings, nbest, model)
        try:
            results = _core.decode(
                self._vocabulary,
                options,
                [self._padded(matrix, start) for matrix in kept],
                [automaton] * len(kept),
                self.prepare(model) if model is not None else None,
                threads,
            )
        except ValueError as error:
            raise LogProbsError(f"{error}.") from None
        return [
            [
                self._found(found.tokens(number), found.frames(number), acoustic, matrix, start)
                for number, acoustic in enumerate(found.scores[0])
            ]
            for matrix, found in zip(kept, results, strict=True)
        ]

    def _options(self, settings: Settings, nbest: int, model: LanguageModel | None) -> _core.SearchOptions:
        o = DecodeOptions()
        if model is not None and not (0 <= model.alpha < math.inf and math.isfinite(model.beta)):
            raise DecoderError(
                f"alpha is {model.alpha:g} and beta {model.beta:g}; alpha must be 0 or more, and both finite."
            )
        unknown = model.alpha * model.unk_score_offset * math.log(10) if model is not None else 0.0
        if not math.isfinite(unknown):
            raise DecoderError(f"unk_score_offset is {model and model.unk_score_offset:g}; it must be finite.")
        return _core.SearchOptions(
            beam=int(settings.beam_width),
            nbest=nbest,
            top_k=self.size,
            token_threshold=math.inf,
            phrase_threshold=math.inf,
            beam_threshold=-settings.beam_prune_logp,
            bonus=abs(settings.hotword_weight),
            adaptive=0.0,
            unigram=0.0,
            gap_cap=0.0,
            gap_top_k=1,
            gap_prefix=False,
            lm_weight=model.alpha if model is not None else 0.0,
            word_bonus=model.beta if model is not None else 0.0,
            unknown_penalty=unknown,
            list_prior=0.0,
            settled_beam=o.settled_beam,
            guard_character=math.inf,
            guard_list=0.0,
            guard_common=0.0,
        )

    def _automaton(self, hotwords: frozenset[str], pays: bool) -> _core.Automaton:
        """Of hotwords that pay 1 each, or cost it; the last 32 lists are kept."""
        known = self._hotwords.pop((hotwords, pays), None)
        if known is None:
            words = sorted(hotwords)
            zero = np.zeros(len(words))
            bonus = zero + (1.0 if pays else -1.0)
            known = _core.Automaton(
                self._vocabulary, "\n".join(words), bonus=bonus, adaptive=zero, share=zero, length=zero, common=zero
            )
            if known.unusable:
                some = ", ".join(repr(words[row]) for row in known.unusable[:5])
                warnings.warn(
                    f"{len(known.unusable)} of the hotwords cannot be spelled with these labels: {some}.",
                    UnusableEntityWarning,
                    stacklevel=5,
                )
        self._hotwords[hotwords, pays] = known
        while len(self._hotwords) > CACHED_LISTS:
            self._hotwords.popitem(last=False)
        return known

    def prepare(self, model: LanguageModel) -> _core.LmTrie:
        """The model's words as the labels spell them, made when the model is new."""
        words = model.told_apart
        if self._lm is None or self._lm[0] is not model.model or self._lm[1] is not words:
            native, known = model.model.native, model.model.words
            hidden = {"<unk>", "<s>", "</s>"}
            spelled = ("" if word in hidden or (words is not None and word not in words) else word for word in known)
            trie = _core.LmTrie(self._vocabulary, native, "\n".join(spelled), native.unknown)
            self._lm = model.model, words, trie
        return self._lm[2]

    # --- frames ---

    def _kept(self, log_probs: Array, least: float) -> Array:
        """-inf for what the search must skip, and one blank."""
        kept: Array = log_probs.copy()
        for other in self._other_blanks:
            kept[:, self.blank] = np.logaddexp(kept[:, self.blank], kept[:, other])
            kept[:, other] = -np.inf
        skipped = kept < least
        skipped[np.arange(len(kept)), kept.argmax(axis=1)] = False
        kept[skipped] = -np.inf
        return kept

    def _padded(self, kept: Array, start: list[int]) -> npt.NDArray[np.float32]:
        """[S + T, V + 2]: S certain frames before the others."""
        padded = np.full((len(start) + len(kept), self.size + 2), -np.inf, np.float32)
        padded[np.arange(len(start)), start] = 0.0
        padded[len(start) :, : self.size] = kept
        return padded

    def _lead_in(self, model: LanguageModel, state: State) -> list[int]:
        """The labels, a frame each, of the words of a state."""
        frames: list[int] = []
        for word in state[-max(1, model.order - 1) :]:
            tokens = next(segmentations(word, self._index), None) or next(segmentations(" " + word, self._index), None)
            for token in tokens or (self._unheard,):
                frames += [self.blank, token] if frames and frames[-1] == token else [token]
            frames.append(self._separator)
        return frames

    def _found(self, tokens: tuple[int, ...], frames: Spans, log_prob: float, kept: Array, start: list[int]) -> Found:
        """Without the lead-in; where `kept` is in double precision, with the score that it gives the best alignment."""
        if start:
            first, before = len(start), sum(label != self.blank for label in start)
            tokens = tokens[before:]
            frames = tuple((begin - first, end - first) for begin, end in frames[before:])
        if kept.dtype == np.float64 and len(kept):
            path = np.full(len(kept), self.blank)
            for token, (begin, end) in zip(tokens, frames, strict=True):
                path[begin : end + 1] = token
            along = kept[np.arange(len(kept)), path]
            single = np.cumsum(along.astype(np.float32), dtype=np.float64)[-1]  # from first to last, as a search adds
            log_prob = float(np.cumsum(along)[-1] + (log_prob - single))
        return Found(tokens, frames, log_prob)


def log_probabilities(logits: Any, size: int) -> Array:
    """[T, V] natural logarithms of probabilities, none below 1e-15, from logits or from probabilities.

    Values whose rows sum to 1 on average are taken to be probabilities.
    Raises LogProbsError (a ValueError) for another shape and for values that are no numbers.
    """
    matrix = np.asarray(logits)
    if matrix.ndim != 2 or matrix.shape[1] != size:
        raise LogProbsError(f"The logits have the shape {matrix.shape}; they must be [T, {size}], a column a label.")
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    if not len(matrix):
        return matrix
    if np.isnan(matrix).any() or (matrix == np.inf).any():
        raise LogProbsError("The logits hold NaN or +inf; look for an overflow in the model or for broken audio.")
    if math.isclose(matrix.sum(axis=1).mean(), 1):
        made: Array = np.log(np.clip(matrix, MIN_TOKEN_CLIP_P, 1))
        return made
    shifted = matrix - np.maximum(matrix.max(axis=1, keepdims=True), np.finfo(matrix.dtype).min)
    normal: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.clip(normal, math.log(MIN_TOKEN_CLIP_P), 0)
