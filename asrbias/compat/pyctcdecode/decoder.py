"""BeamSearchDecoderCTC and build_ctcdecoder with pyctcdecode's arguments and results, over our search."""

from __future__ import annotations

import functools
import logging
import multiprocessing.context
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from asrbias.compat.pyctcdecode.alphabet import Alphabet, verify_alphabet_coverage
from asrbias.compat.pyctcdecode.beams import Frames as Frames
from asrbias.compat.pyctcdecode.beams import OutputBeam as OutputBeam
from asrbias.compat.pyctcdecode.beams import Scorer, WordFrames, output_beams, spoken
from asrbias.compat.pyctcdecode.constants import (
    DEFAULT_ALPHA,
    DEFAULT_BEAM_WIDTH,
    DEFAULT_BETA,
    DEFAULT_HOTWORD_WEIGHT,
    DEFAULT_MIN_TOKEN_LOGP,
    DEFAULT_PRUNE_BEAMS,
    DEFAULT_PRUNE_LOGP,
    DEFAULT_SCORE_LM_BOUNDARY,
    DEFAULT_UNK_LOGP_OFFSET,
)
from asrbias.compat.pyctcdecode.hotwords import HotwordScorer
from asrbias.compat.pyctcdecode.language_model import (
    AbstractLanguageModel,
    LanguageModel,
    MultiLanguageModel,
    checked_state,
    load_unigram_set_from_arpa,
)
from asrbias.compat.pyctcdecode.search import Search, Settings, log_probabilities
from asrbias.decode_options import DecoderError

OutputBeamMPSafe = tuple[str, list[WordFrames], float, float]  # OutputBeam without the state
FEW = 24  # of what the search finds, among which decode() looks for the best text

logger = logging.getLogger(__name__)


class BeamSearchDecoderCTC:
    """A decoder for one alphabet, with or without a language model. Safe to use from several threads.

    Models are kept in `model_container`, by a key that a copy in another process finds too; `cleanup` drops one's.
    """

    model_container: ClassVar[dict[bytes, AbstractLanguageModel | None]] = {}
    _searches: ClassVar[dict[bytes, Search]] = {}

    _ALPHABET_SERIALIZED_FILENAME = "alphabet.json"
    _LANGUAGE_MODEL_SERIALIZED_DIRECTORY = "language_model"

    def __init__(self, alphabet: Alphabet, language_model: AbstractLanguageModel | None = None) -> None:
        self._alphabet = alphabet
        self._is_bpe = alphabet.is_bpe
        self._model_key = os.urandom(16)
        BeamSearchDecoderCTC.model_container[self._model_key] = language_model
        leader = _leader(language_model)
        if leader is not None:
            self._search.prepare(leader)  # once, here: processes that are forked later have it too

    # --- the language model ---

    @property
    def _language_model(self) -> AbstractLanguageModel | None:
        try:
            return BeamSearchDecoderCTC.model_container[self._model_key]
        except KeyError:
            raise DecoderError(
                "This decoder's language model is gone (cleanup, clear_class_models, or another process that did not "
                "inherit it); make the decoder anew."
            ) from None

    @property
    def _search(self) -> Search:
        search = BeamSearchDecoderCTC._searches.get(self._model_key)
        if search is None:
            search = BeamSearchDecoderCTC._searches[self._model_key] = Search(self._alphabet)
        return search

    def reset_params(
        self,
        alpha: float | None = None,
        beta: float | None = None,
        unk_score_offset: float | None = None,
        lm_score_boundary: bool | None = None,
    ) -> None:
        """Change the language model's parameters; None leaves one as it is."""
        model = self._language_model
        if model is not None:
            model.reset_params(
                alpha=alpha, beta=beta, unk_score_offset=unk_score_offset, score_boundary=lm_score_boundary
            )

    @classmethod
    def clear_class_models(cls) -> None:
        """Drop the language models of all decoders."""
        BeamSearchDecoderCTC.model_container = {}
        BeamSearchDecoderCTC._searches = {}

    def cleanup(self) -> None:
        """Drop this decoder's language model."""
        BeamSearchDecoderCTC.model_container.pop(self._model_key, None)
        BeamSearchDecoderCTC._searches.pop(self._model_key, None)

    # --- decoding ---

    def decode_beams(
        self,
        logits: Any,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        prune_history: bool = DEFAULT_PRUNE_BEAMS,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
        lm_start_state: Any = None,
    ) -> list[OutputBeam]:
        """The beams, best first: (text, language model state, [(word, (start, end))], logit score, full score).

        Args:
            logits: [T, V] logits, log probabilities or probabilities; V labels of the alphabet.
            beam_width: hypotheses kept after each frame, and returned at most.
            beam_prune_logp: nats, 0 or less; a hypothesis this far below the best is dropped.
            token_min_logp: nats; labels below are skipped, but for a frame's best.
            prune_history: whether of hypotheses that end alike only the best is returned.
            hotwords: words and phrases, which count word by word; any case and diacritics must be the labels'.
            hotword_weight: nats for each of their words.
            lm_start_state: a state that an earlier call returned, from which the language model goes on.
        Raises:
            LogProbsError, DecoderError, DecoderTypeError: values that are not allowed (the first two are ValueErrors).
        """
        settings = Settings(
            beam_width=beam_width,
            beam_prune_logp=beam_prune_logp,
            token_min_logp=token_min_logp,
            prune_history=prune_history,
            hotword_weight=hotword_weight,
        )
        return self._beams([logits], settings, hotwords, lm_start_state=lm_start_state, nbest=int(beam_width))[0]

    def decode_beams_batch(
        self,
        pool: Any,
        logits_list: Iterable[Any],
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        prune_history: bool = DEFAULT_PRUNE_BEAMS,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
    ) -> list[list[OutputBeamMPSafe]]:
        """`decode_beams` for each item, without the states.

        pool: a multiprocessing pool that forks; None: one native thread a core, which takes less.
        """
        settings = Settings(
            beam_width=beam_width,
            beam_prune_logp=beam_prune_logp,
            token_min_logp=token_min_logp,
            prune_history=prune_history,
            hotword_weight=hotword_weight,
        )
        return self._batch(pool, logits_list, settings, hotwords, int(beam_width))

    def decode(
        self,
        logits: Any,
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
        lm_start_state: Any = None,
    ) -> str:
        """The best text; arguments as `decode_beams` has them."""
        settings = Settings(
            beam_width=beam_width,
            beam_prune_logp=beam_prune_logp,
            token_min_logp=token_min_logp,
            prune_history=True,
            hotword_weight=hotword_weight,
        )
        return self._beams([logits], settings, hotwords, lm_start_state=lm_start_state, nbest=FEW)[0][0][0]

    def decode_batch(
        self,
        pool: Any,
        logits_list: Iterable[Any],
        beam_width: int = DEFAULT_BEAM_WIDTH,
        beam_prune_logp: float = DEFAULT_PRUNE_LOGP,
        token_min_logp: float = DEFAULT_MIN_TOKEN_LOGP,
        hotwords: Iterable[str] | None = None,
        hotword_weight: float = DEFAULT_HOTWORD_WEIGHT,
    ) -> list[str]:
        """`decode` for each item; pool as in `decode_beams_batch`."""
        settings = Settings(
            beam_width=beam_width,
            beam_prune_logp=beam_prune_logp,
            token_min_logp=token_min_logp,
            prune_history=True,
            hotword_weight=hotword_weight,
        )
        return [beams[0][0] for beams in self._batch(pool, logits_list, settings, hotwords, FEW)]

    def _batch(
        self, pool: Any, logits_list: Iterable[Any], settings: Settings, hotwords: Iterable[str] | None, nbest: int
    ) -> list[list[OutputBeamMPSafe]]:
        listed = list(hotwords) if hotwords is not None and not isinstance(hotwords, str) else hotwords
        logits_list = list(logits_list)
        if pool is not None and _forks(pool):
            for logits in logits_list:
                log_probabilities(logits, len(self._alphabet.labels))  # so that what is wrong is said here
            work = functools.partial(self._one, settings=settings, hotwords=listed, nbest=nbest)
            return list(pool.map(work, logits_list))
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return [_stateless(beams) for beams in self._beams(logits_list, settings, listed, nbest=nbest, threads=threads)]

    def _one(
        self, logits: Any, settings: Settings, hotwords: Iterable[str] | None, nbest: int
    ) -> list[OutputBeamMPSafe]:
        return _stateless(self._beams([logits], settings, hotwords, nbest=nbest)[0])

    def _beams(
        self,
        logits_list: Sequence[Any],
        settings: Settings,
        hotwords: Iterable[str] | None,
        *,
        nbest: int,
        lm_start_state: Any = None,
        threads: int = 1,
    ) -> list[list[OutputBeam]]:
        model = self._language_model
        scorer = HotwordScorer.build_scorer(hotwords, settings.hotword_weight)
        start = lm_start_state
        if start is None and model is not None:
            start = model.get_start_state()
        leader, search = _leader(model), self._search
        state = start[0] if isinstance(model, MultiLanguageModel) and isinstance(start, list) else start
        results = search.decode(
            [log_probabilities(logits, search.size) for logits in logits_list],
            settings,
            nbest,
            hotwords=scorer.words,
            model=leader,
            state=checked_state(state) if leader is not None else None,
            threads=threads,
        )
        history = max(1, (model.order if model is not None else 1) - 1)
        scores = Scorer(model, scorer, start)
        return [
            output_beams([spoken(one, search.pieces, self._is_bpe) for one in found], settings, scores, history)
            for found in results
        ]

    # --- files: alphabet.json, and language_model/ where there is a model ---

    def save_to_dir(self, filepath: str) -> None:
        """Write the alphabet, and the language model where there is one, into a folder that exists."""
        folder = Path(filepath)
        (folder / self._ALPHABET_SERIALIZED_FILENAME).write_text(self._alphabet.dumps(), encoding="utf-8")
        model = self._language_model
        if model is not None:
            inner = folder / self._LANGUAGE_MODEL_SERIALIZED_DIRECTORY
            inner.mkdir(parents=True)
            model.save_to_dir(str(inner))

    @staticmethod
    def parse_directory_contents(filepath: str) -> dict[str, str | None]:
        """The paths of the alphabet and the language model's folder, or None. Raises ValueError without an alphabet."""
        alphabet = BeamSearchDecoderCTC._ALPHABET_SERIALIZED_FILENAME
        model = BeamSearchDecoderCTC._LANGUAGE_MODEL_SERIALIZED_DIRECTORY
        names = sorted(name for name in os.listdir(filepath) if not name.startswith((".", "__")))
        if alphabet not in names:
            raise ValueError(f"{filepath} holds {', '.join(names) or 'nothing'}; a decoder's folder holds {alphabet}.")
        return {
            "alphabet": os.path.join(filepath, alphabet),
            "language_model": os.path.join(filepath, model) if model in names else None,
        }

    @classmethod
    def load_from_dir(cls, filepath: str, unigram_encoding: str | None = None) -> BeamSearchDecoderCTC:
        """Read what `save_to_dir` wrote, ours or pyctcdecode's."""
        paths = cls.parse_directory_contents(filepath)
        alphabet = Alphabet.loads(Path(str(paths["alphabet"])).read_text(encoding="utf-8"))
        folder = paths["language_model"]
        model = LanguageModel.load_from_dir(folder, unigram_encoding=unigram_encoding) if folder is not None else None
        return cls(alphabet, language_model=model)

    @classmethod
    def load_from_hf_hub(cls, model_id: str, cache_dir: str | None = None, **kwargs: Any) -> BeamSearchDecoderCTC:
        """`load_from_dir` of a repository on huggingface.co, downloaded unless it is in the cache.

        Raises ImportError where huggingface_hub is not installed.
        """
        try:
            from huggingface_hub import snapshot_download
        except ImportError:
            raise ImportError(
                "load_from_hf_hub needs huggingface_hub; install it with: pip install huggingface_hub"
            ) from None
        cache_dir = cache_dir or os.path.join(Path.home(), ".cache", "pyctcdecode")
        return cls.load_from_dir(snapshot_download(model_id, cache_dir=cache_dir, **kwargs))


def build_ctcdecoder(
    labels: list[str],
    kenlm_model_path: str | None = None,
    unigrams: Collection[str] | None = None,
    alpha: float = DEFAULT_ALPHA,
    beta: float = DEFAULT_BETA,
    unk_score_offset: float = DEFAULT_UNK_LOGP_OFFSET,
    lm_score_boundary: bool = DEFAULT_SCORE_LM_BOUNDARY,
) -> BeamSearchDecoderCTC:
    """A decoder from a model's labels and, where there is one, the path of an ARPA file or a KenLM binary.

    unigrams: the words that count as known; None: all of an ARPA file. The others are LanguageModel's.
    """
    alphabet = Alphabet.build_alphabet(labels)
    if kenlm_model_path is None:
        return BeamSearchDecoderCTC(alphabet)
    if unigrams is None and str(kenlm_model_path).endswith(".arpa"):
        unigrams = load_unigram_set_from_arpa(kenlm_model_path)
    if unigrams is not None:
        verify_alphabet_coverage(alphabet, unigrams)
    model = LanguageModel(kenlm_model_path, unigrams, alpha, beta, unk_score_offset, lm_score_boundary)
    return BeamSearchDecoderCTC(alphabet, model)


def _leader(model: AbstractLanguageModel | None) -> LanguageModel | None:
    """The model that the search itself asks; the others are asked about what it found."""
    if isinstance(model, MultiLanguageModel):
        model = model.language_models[0]
    return model if isinstance(model, LanguageModel) else None


def _stateless(beams: Sequence[OutputBeam]) -> list[OutputBeamMPSafe]:
    return [(text, words, log_prob, score) for text, _, words, log_prob, score in beams]


def _forks(pool: Any) -> bool:
    """Whether processes of the pool inherit the language models; where not it is left aside."""
    spawns = isinstance(getattr(pool, "_ctx", None), multiprocessing.context.SpawnContext)
    if spawns:
        logger.warning("The pool's processes are spawned and have no language models; decoding in threads instead.")
    return not spawns
