"""A recording and a list -> what the list did (explanation.py), with any recognizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from asrbias.audio import Samples
from asrbias.entities import EntityList
from asrbias.explanation import Explanation, Floats
from asrbias.recognizer import Entities, Recognizer


def explain(recognizer: Recognizer, audio: Any, entities: Entities) -> Explanation:
    """Transcribe without and with the list, and keep what was seen on the way; arguments as of `transcribe`.

    Raises what `Recognizer.transcribe` raises.
    """
    wave = recognizer.samples(audio)
    listed = EntityList.coerce(entities) or EntityList()
    plain, transcript = recognizer.transcribe_batch([wave, wave], [None, listed])
    log_probs = recognizer.log_probs([wave])[0]
    return Explanation(
        transcript=transcript,
        plain=plain,
        spectrogram=spectrogram(recognizer, wave),
        entities=tuple(entity.shown for entity in listed),
        attention=None,
        log_probs=log_probs,
        base_log_probs=log_probs,
        labels=tuple(recognizer.model.vocabulary.labels),
        seconds_per_frame=recognizer.model.seconds_per_frame,
        duration=len(wave) / recognizer.sample_rate,
    )


def spectrogram(recognizer: Recognizer, wave: Samples) -> Floats:
    """Samples [S] -> what the encoder is given of them, [F, M]."""
    import torch

    audio = torch.from_numpy(wave)[None].to(recognizer.device)
    with torch.inference_mode():
        features, frames = recognizer.model.features(audio, torch.tensor([len(wave)], device=recognizer.device))
    return np.ascontiguousarray(features[0, : int(frames[0])].float().cpu().numpy())
