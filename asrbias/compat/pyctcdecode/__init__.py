"""pyctcdecode's interface (0.5) over our search: the same names, arguments and results.

    from asrbias.compat.pyctcdecode import build_ctcdecoder
    decoder = build_ctcdecoder(labels, "model.arpa", alpha=0.5, beta=1.5)
    text = decoder.decode(logits, hotwords=["Zelenskyy"], hotword_weight=8.0)

`install()` makes `import pyctcdecode` mean this package, for libraries that import it themselves, such as Hugging
Face's Wav2Vec2ProcessorWithLM. Neither pyctcdecode nor kenlm is needed. docs/compat.md says where results differ.
"""

from __future__ import annotations

import importlib.util
import sys

from asrbias.compat import kenlm
from asrbias.compat.pyctcdecode import alphabet, constants, decoder, language_model
from asrbias.compat.pyctcdecode.alphabet import Alphabet as Alphabet
from asrbias.compat.pyctcdecode.decoder import BeamSearchDecoderCTC as BeamSearchDecoderCTC
from asrbias.compat.pyctcdecode.decoder import build_ctcdecoder as build_ctcdecoder
from asrbias.compat.pyctcdecode.hotwords import HotwordScorer as HotwordScorer
from asrbias.compat.pyctcdecode.language_model import LanguageModel as LanguageModel
from asrbias.compat.pyctcdecode.language_model import MultiLanguageModel as MultiLanguageModel

__all__ = [
    "Alphabet",
    "BeamSearchDecoderCTC",
    "HotwordScorer",
    "LanguageModel",
    "MultiLanguageModel",
    "build_ctcdecoder",
    "install",
]


def install() -> None:
    """From now on `import pyctcdecode` gives this package, in all of this process.

    Where kenlm is not installed, `import kenlm` gives asrbias.compat.kenlm: transformers asks whether it is there.
    Raises ImportError where pyctcdecode itself was imported before.
    """
    here = sys.modules[__name__]
    found = sys.modules.get("pyctcdecode", here)
    if found is not here:
        raise ImportError(
            "pyctcdecode was imported before asrbias.compat.pyctcdecode.install(); call install() first, before "
            "transformers or others import it."
        )
    sys.modules["pyctcdecode"] = here
    for module in (alphabet, constants, decoder, language_model):
        sys.modules[f"pyctcdecode.{module.__name__.rpartition('.')[2]}"] = module
    if importlib.util.find_spec("kenlm") is None:
        sys.modules["kenlm"] = kenlm
