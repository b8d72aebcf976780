"""Audio and a list -> transcript: puts features, encoder and decoder together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asrbias.audio import AudioError, Samples, load_audio
from asrbias.decoder import DecodeOptions, Decoder
from asrbias.entities import Entity, EntityList
from asrbias.transcript import Transcript, build_transcript

if TYPE_CHECKING:
    from asrbias.model import Model

Entities = EntityList | Iterable[str | Entity] | None
MODELS = Path(__file__).parent / "models"
STARTER = "starter"
LONGEST = 1_800.0  # seconds: attention sees the whole recording at once, its cost grows with the square of the length


@dataclass(frozen=True, kw_only=True)
class RecognizeOptions:
    nbest: int = 5  # readings in a transcript
    batch_seconds: float = 120.0  # audio encoded at once, padding included
    threads: int | None = None  # decoding threads; None: one a core


def load(
    name: str | Path = STARTER,
    *,
    device: str = "cpu",
    decode: DecodeOptions | None = None,
    options: RecognizeOptions | None = None,
) -> Recognizer:
    """A recognizer from a model folder, or from the name of a model that comes with the package ("starter").

    `device` is "cpu" or "cuda". Raises `ModelError` if there is no such model.
    """
    from asrbias.model import ModelError, load_model

    folder = Path(name)
    if not folder.is_dir():
        folder = MODELS / str(name)
    if not folder.is_dir():
        shipped = sorted(path.name for path in MODELS.iterdir() if path.is_dir()) if MODELS.is_dir() else []
        raise ModelError(f"There is no model {str(name)!r}; give a model folder or one of {shipped}.")
    return Recognizer(load_model(folder), device=device, decode=decode, options=options)


class Recognizer:
    """Transcribes with a list that may change with every request. Safe to share between threads."""

    def __init__(
        self,
        model: Model,
        *,
        device: str = "cpu",
        decode: DecodeOptions | None = None,
        options: RecognizeOptions | None = None,
    ) -> None:
        import torch

        if device.split(":")[0] == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"The device {device!r} was asked for but torch sees no GPU; use device='cpu'.")
        if device.split(":")[0] not in ("cpu", "cuda"):
            raise ValueError(f"The device {device!r} is unknown; use 'cpu' or 'cuda'.")
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        self.options = options or RecognizeOptions()
        vocabulary = model.vocabulary
        self.decoder = Decoder(vocabulary.labels, blank=vocabulary.blank, options=decode or DecodeOptions())

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.model.features.options.sample_rate

    def transcribe(self, audio: Any, entities: Entities = None) -> Transcript:
        """One recording: a path, samples [S] at `sample_rate`, or (samples, rate in Hz); `entities` may be written.

        Raises `AudioError` for audio that cannot be used and `EntityError` for a list that cannot be read.
        """
        return self.transcribe_batch([audio], [EntityList.coerce(entities)])[0]

    def transcribe_batch(
        self, audio: Sequence[Any], entities: Sequence[Entities] | EntityList | None = None
    ) -> list[Transcript]:
        """Many recordings, each with its own list or None; or one EntityList for all of them."""
        lists = self._lists(entities, len(audio))
        waves = [self._load(item) for item in audio]
        posteriors = self.log_probs(waves)
        hypotheses = self.decoder.decode_batch(posteriors, entities=lists, threads=self.options.threads)
        return [
            build_transcript(found, one, self.model.seconds_per_frame, len(wave) / self.sample_rate, self.options.nbest)
            for found, one, wave in zip(hypotheses, lists, waves, strict=True)
        ]

    def log_probs(self, waves: Sequence[Samples]) -> list[npt.NDArray[np.float32]]:
        """Samples [S] at `sample_rate` each -> natural-log posteriors [T, V] each, 40 ms a frame."""
        import torch

        found: dict[int, npt.NDArray[np.float32]] = {}
        for group in self._batches([len(wave) for wave in waves]):
            lengths = torch.tensor([len(waves[index]) for index in group])
            audio = torch.zeros(len(group), int(lengths.max()))
            for row, index in enumerate(group):
                audio[row, : lengths[row]] = torch.from_numpy(waves[index])
            half = torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda")
            with torch.inference_mode(), half:
                output = self.model(audio.to(self.device), lengths.to(self.device))
            log_probs, frames = output.log_probs.float().cpu().numpy(), output.lengths.tolist()
            for row, index in enumerate(group):
                found[index] = np.ascontiguousarray(log_probs[row, : frames[row]])
        return [found[index] for index in range(len(waves))]

    def _batches(self, lengths: Sequence[int]) -> list[list[int]]:
        """Indices grouped by length, so that little is padded."""
        limit = self.options.batch_seconds * self.sample_rate
        groups: list[list[int]] = []
        for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
            if groups and lengths[index] * (len(groups[-1]) + 1) <= limit:
                groups[-1].append(index)
            else:
                groups.append([index])
        return groups

    def _load(self, item: Any) -> Samples:
        wave = load_audio(item, sample_rate=self.sample_rate)
        seconds = len(wave) / self.sample_rate
        if seconds > LONGEST:
            raise AudioError(
                f"The audio is {seconds:.0f} s long, at most {LONGEST:.0f} s go at once; cut it in pieces."
            )
        return wave

    @staticmethod
    def _lists(entities: Sequence[Entities] | EntityList | None, count: int) -> list[EntityList | None]:
        if entities is None or isinstance(entities, EntityList):
            return [entities] * count
        if isinstance(entities, (str, bytes)) or any(isinstance(item, (str, Entity)) for item in entities):
            raise TypeError(
                "transcribe_batch takes a list of entities for each recording; for one list, pass an EntityList."
            )
        if len(entities) != count:
            raise ValueError(f"There are {count} recordings but {len(entities)} lists; give a list (or None) for each.")
        coerced: dict[int, EntityList | None] = {}
        for item in entities:  # a list given to many recordings is read once
            if id(item) not in coerced:
                coerced[id(item)] = EntityList.coerce(item)
        return [coerced[id(item)] for item in entities]
