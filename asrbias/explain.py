"""A recording and a list -> what the list did (explanation.py), with any recognizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from asrbias.audio import Samples
from asrbias.entities import EntityList
from asrbias.explanation import Explanation, Floats
from asrbias.foreign import ForeignModel
from asrbias.joint import JointDecoder
from asrbias.recognizer import Entities, Recognizer


def explain(recognizer: Recognizer, audio: Any, entities: Entities) -> Explanation:
    """Transcribe without and with the list, and keep what was seen on the way; arguments as of `transcribe`.

    Raises what `Recognizer.transcribe` raises.
    """
    wave = recognizer.samples(audio)
    listed = EntityList.coerce(entities) or EntityList()
    plain, transcript = recognizer.transcribe(wave), recognizer.transcribe(wave, listed)  # a batch differs in rounding
    (heard,) = recognizer.posteriors([wave])
    adapted = recognizer.adapt([heard], [listed])[0] if _list_is_used(recognizer) else None
    return Explanation(
        transcript=transcript,
        plain=plain,
        spectrogram=spectrogram(recognizer, wave),
        entities=tuple(listed[k].shown for k in (adapted.entities if adapted else range(len(listed)))),
        attention=adapted.attention if adapted else None,
        log_probs=adapted.log_probs if adapted else heard.log_probs,
        base_log_probs=heard.log_probs,
        labels=tuple(recognizer.model.vocabulary.labels),
        seconds_per_frame=recognizer.model.seconds_per_frame,
        duration=len(wave) / recognizer.sample_rate,
        listed=len(listed),
    )


def _list_is_used(recognizer: Recognizer) -> bool:
    """Not where the dial is at 0."""
    decoder = recognizer.decoder
    return not isinstance(decoder, JointDecoder) or decoder.options.decode.bias > 0


def spectrogram(recognizer: Recognizer, wave: Samples) -> Floats:
    """Samples [S] -> log-mel bands, what an encoder of asrbias is given of them, [F, M]."""
    import torch

    model = recognizer.model
    if isinstance(model, ForeignModel):  # which may take something else: this is to look at
        from asrbias.features import FeatureOptions, LogMel

        high = min(FeatureOptions().high, model.sample_rate / 2)
        hearing = LogMel(FeatureOptions(sample_rate=model.sample_rate, high=high)).to(recognizer.device)
    else:
        hearing = model.features
    audio = torch.from_numpy(wave)[None].to(recognizer.device)
    with torch.inference_mode():
        features, frames = hearing(audio, torch.tensor([len(wave)], device=recognizer.device))
    return np.ascontiguousarray(features[0, : int(frames[0])].float().cpu().numpy())
