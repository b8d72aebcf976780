"""pyctcdecode (kensho-technologies, 0.5) as the decoder: its search and hotwords behind our Decoder's interface.

    recognizer = asrbias.load(decode=PyctcdecodeOptions(hotword_weight=8.0))
    decoder = PyctcdecodeDecoder(labels, blank=0, lm=LanguageModel.read("model.arpa"))

For comparison with what others run, and for those whose weights were tuned for it. It has one weight for all of a list,
takes phrases apart into words, and is 10 to 1,000 times slower than Decoder (bench/peers). Needs the extra:
`pip install "asrbias[pyctcdecode]"`; that brings numpy 1, and `pip install --no-deps pyctcdecode==0.5.0 pygtrie` keeps
numpy 2, which it runs on too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asrbias.alignment import LogProbsError
from asrbias.decoder import Decoder, DecoderError, DecoderTypeError
from asrbias.hypothesis import Hypothesis
from asrbias.phrases import WORD_START, Phrases
from asrbias.pyctcdecode_words import Reader

if TYPE_CHECKING:
    from asrbias.lm import LanguageModel

FLOOR = math.log(1e-15)  # nats; pyctcdecode takes no probability to be less


@dataclass(frozen=True, kw_only=True)
class PyctcdecodeOptions:
    """pyctcdecode's own settings, with its names and defaults but for the beam."""

    beam_width: int = 32  # hypotheses kept after each frame
    nbest: int = 10  # hypotheses returned at most
    beam_prune_logp: float = -10.0  # nats; a hypothesis this far below the best is dropped
    token_min_logp: float = -5.0  # nats; labels below are skipped, but for a frame's best
    hotword_weight: float = 10.0  # nats for each listed word
    alpha: float = 0.5  # factor of the language model
    beta: float = 1.5  # nats a word, with a language model
    unk_score_offset: float = -10.0  # log10 units, times alpha: for a word that the model does not know

    def __post_init__(self) -> None:
        for name in ("beam_width", "nbest"):
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise DecoderError(f"{name} is {value!r}; it must be a whole number, 1 or more.")
        for name in ("beam_prune_logp", "token_min_logp", "hotword_weight", "alpha", "beta", "unk_score_offset"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise DecoderError(f"{name} is {value!r}; it must be a finite number.")
        for name in ("beam_prune_logp", "token_min_logp"):
            if getattr(self, name) > 0:
                raise DecoderError(f"{name} is {getattr(self, name):g}; it must be 0 or less (nats below the best).")
        if self.hotword_weight < 0:
            raise DecoderError(f"hotword_weight is {self.hotword_weight:g}; it must be 0 or more nats.")


class PyctcdecodeDecoder(Decoder):
    """Decoder's interface over pyctcdecode's search. Lists are checked, compiled and reported as Decoder does it.

    Decoding is in Python, on one thread whatever `threads` says. A hypothesis's tokens are the likeliest segmentation
    of each word in the frames that pyctcdecode gives for it.

    Raises:
        ImportError: pyctcdecode is not installed.
        DecoderError: labels of which pyctcdecode cannot make words; later, a list with weights other than 1.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        blank: int = 0,
        lm: LanguageModel | None = None,
        options: PyctcdecodeOptions | None = None,
    ) -> None:
        if options is not None and not isinstance(options, PyctcdecodeOptions):
            raise DecoderTypeError(f"options is {type(options).__name__}; give a PyctcdecodeOptions.")
        super().__init__(labels, blank=blank)
        self.pyctcdecode = options or PyctcdecodeOptions()
        self._reader = Reader(self.spelling, self.blank, self.pyctcdecode.token_min_logp)
        module = _import()
        alphabet = module.Alphabet(self._alphabet(), self.spelling.separator == WORD_START)
        model = None
        if lm is not None:
            from asrbias.pyctcdecode_lm import WordModel

            model = WordModel(lm, self.pyctcdecode)
        self._search = module.BeamSearchDecoderCTC(alphabet, model)

    def _alphabet(self) -> list[str]:
        """pyctcdecode's names of the labels: "" for the blank, folded as phrases are."""
        pieces = self.spelling.separator == WORD_START
        names: list[str] = []
        for token, text in enumerate(self.spelling.matched):
            if " " in text[1:] or (text[:1] == " " and not pieces and text != " "):
                raise DecoderError(
                    f"The label {self.labels[token]!r} spans words, which pyctcdecode cannot take apart."
                )
            if not text:
                text = "" if token == self.blank else f"<{token}>"  # never emitted; see _logits
            if text in names:
                raise DecoderError(
                    f"The labels {self.labels[names.index(text)]!r} and {self.labels[token]!r} are one without case "
                    "and diacritics, and pyctcdecode needs labels that differ; use Decoder."
                )
            names.append(text)
        return [name.replace(" ", WORD_START) for name in names] if pieces else names

    # --- Decoder's search, replaced ---

    def _run(self, matrices: list[Any], lists: list[Phrases | None], threads: int) -> list[list[Hypothesis]]:
        for phrases in lists:
            if phrases is not None:
                _check_weights(phrases)
        return [self._decode(matrix, phrases) for matrix, phrases in zip(matrices, lists, strict=True)]

    def _decode(self, matrix: npt.NDArray[np.float32], phrases: Phrases | None) -> list[Hypothesis]:
        o = self.pyctcdecode
        texts = phrases.table.texts if phrases is not None else ()
        if not len(matrix):
            return [self._reader.hypothesis(matrix, [], (0.0, 0.0, 0.0), phrases)]
        logits = self._logits(matrix)
        beams = self._search.decode_beams(
            logits,
            beam_width=o.beam_width,
            beam_prune_logp=o.beam_prune_logp,
            token_min_logp=o.token_min_logp,
            hotwords=texts or None,
            hotword_weight=o.hotword_weight,
        )
        listed = frozenset(word for text in texts for word in text.split())
        found = []
        for _, _, places, acoustic, total in beams[: o.nbest]:
            bias = o.hotword_weight * sum(word in listed for word, _ in places)
            scores = (float(acoustic), bias, float(total) - float(acoustic) - bias)
            found.append(self._reader.hypothesis(logits, places, scores, phrases))
        return found

    def _logits(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Checked, and without what is never emitted."""
        if np.isnan(matrix).any() or (matrix > 1e-3).any():
            frame = int(np.flatnonzero((np.isnan(matrix) | (matrix > 1e-3)).any(1))[0])
            raise LogProbsError(
                f"log_probs has NaN or a value above 0 at frame {frame}; give natural logarithms of probabilities."
            )
        logits = matrix.copy()
        logits[:, [t for t, text in enumerate(self.spelling.matched) if not text and t != self.blank]] = -np.inf
        logits = np.maximum(logits, np.float32(FLOOR))
        return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)  # type: ignore[no-any-return]


def _import() -> Any:
    try:
        import pyctcdecode
    except ImportError as error:
        raise ImportError(
            f"pyctcdecode is not installed ({error}); install it with: pip install --no-deps pyctcdecode==0.5.0 pygtrie"
        ) from None
    return pyctcdecode


def _check_weights(phrases: Phrases) -> None:
    """Raises DecoderError for a list whose weights differ from 1, rather than decode as if they did not."""
    odd = np.flatnonzero(phrases.table.weight != 1)
    if len(odd):
        raise DecoderError(
            f"{phrases.table.texts[odd[0]]!r} has the weight {phrases.table.weight[odd[0]]:g}, but pyctcdecode has one "
            "weight for all of a list; leave weights at 1 and set hotword_weight, or use Decoder."
        )
