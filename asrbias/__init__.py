"""asrbias: CTC speech recognition that writes the names on your list, without retraining.

    import asrbias

    recognizer = asrbias.load()
    print(recognizer.transcribe("call.wav", entities=["Zelenskyy", "Kyiv"]).text)

Names are imported when first used: `import asrbias` is quick and does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "load": "loading",
    "Recognizer": "recognizer",
    "RecognizeOptions": "recognizer",
    "AudioPart": "audio",
    "Decoder": "decoder",
    "DecodeOptions": "decoder",
    "Entity": "entities",
    "EntityList": "entities",
    "LanguageModel": "lm",
    "SegmentOptions": "segmenting",
    "StreamOptions": "stream",
    "Transcript": "transcript",
    "export": "exports",
    "score": "score",
}
__all__ = sorted([*_HOMES, "__version__"])

if TYPE_CHECKING:
    from asrbias.audio import AudioPart as AudioPart
    from asrbias.decoder import DecodeOptions as DecodeOptions
    from asrbias.decoder import Decoder as Decoder
    from asrbias.entities import Entity as Entity
    from asrbias.entities import EntityList as EntityList
    from asrbias.exports import export as export
    from asrbias.lm import LanguageModel as LanguageModel
    from asrbias.loading import load as load
    from asrbias.recognizer import RecognizeOptions as RecognizeOptions
    from asrbias.recognizer import Recognizer as Recognizer
    from asrbias.score import score as score
    from asrbias.segmenting import SegmentOptions as SegmentOptions
    from asrbias.stream import StreamOptions as StreamOptions
    from asrbias.transcript import Transcript as Transcript


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"asrbias has no {name!r}; it has {', '.join(__all__)}.")
    from importlib import import_module

    return getattr(import_module(f"asrbias.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__]
