"""Audio and a list -> transcript: puts features, encoder and decoder together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from asrbias import longform
from asrbias.adapting import Adapted, Adapting
from asrbias.audio import AudioError, Samples, check_file, load_audio
from asrbias.audio_blocks import file_seconds
from asrbias.decoder import DecodeOptions
from asrbias.description import describe
from asrbias.encoding import EncodedBatch, ForeignBatch, by_length, check_waves, encode
from asrbias.encoding import Posteriors as Posteriors
from asrbias.entities import Entity, EntityError, EntityList, EntityTypeError
from asrbias.foreign import ForeignModel, Labels, foreign, own_model
from asrbias.foreign_options import servable, usual_options
from asrbias.joint import JointDecoder, JointOptions
from asrbias.lm import LanguageModel
from asrbias.pipeline import Failed, PipelineOptions, Recording, named, transcripts
from asrbias.pyctcdecode_decoder import PyctcdecodeDecoder, PyctcdecodeOptions
from asrbias.segmenting import SegmentOptions
from asrbias.stream import RecognizerStream, StreamOptions
from asrbias.transcript import Transcript, TranscriptSegment, build_transcript

if TYPE_CHECKING:
    import torch

    from asrbias.hypothesis import Hypothesis
    from asrbias.model import Model
    from asrbias.tokens import Vocabulary

Options = JointOptions | DecodeOptions | PyctcdecodeOptions
Entities = EntityList | Iterable[str | Entity] | None
WINDOW = 3_600.0  # seconds of audio of a batch that are held at once, and sorted by length
LONGEST = 1_800.0  # seconds: attention sees the whole recording at once, its cost grows with the square of the length


@dataclass(frozen=True, kw_only=True)
class RecognizeOptions:
    nbest: int = 5  # readings in a transcript, at most; DecodeOptions.nbest, where it is given, limits it too
    batch_seconds: float = 120.0  # audio encoded at once, padding included
    segments: SegmentOptions = field(default_factory=SegmentOptions)  # how what is longer than half a minute is cut
    threads: int | None = None  # decoding threads; None: one a core

    def __post_init__(self) -> None:
        if isinstance(self.nbest, bool) or not isinstance(self.nbest, int) or self.nbest < 1:
            raise ValueError(f"nbest is {self.nbest!r}; it must be a whole number, 1 or more.")
        seconds = self.batch_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
            raise ValueError(f"batch_seconds is {self.batch_seconds!r}; it must be a number of seconds above 0.")
        if not isinstance(self.segments, SegmentOptions):
            raise TypeError(f"segments is {type(self.segments).__name__}; give a SegmentOptions.")
        threads = self.threads
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise ValueError(f"threads is {threads!r}; it must be a whole number, 1 or more, or None for one a core.")


class Recognizer:
    """Transcribes with a list that may change with every request. Safe to share between threads.

    Args:
        model: a Model, a ForeignModel, or a function: samples [S] -> log probabilities [T, V], with
        labels: of a function, V strings (foreign.ForeignModel);
        blank: of a function, the position of its blank (None: the label that is named like one);
        sample_rate: of a function, Hz.
    """

    def __init__(
        self,
        model: Model | ForeignModel | Callable[[Samples], Any],
        *,
        labels: Sequence[str] | None = None,
        blank: int | None = None,
        sample_rate: int = 16_000,
        device: str | torch.device = "cpu",
        lm: LanguageModel | None = None,
        decode: Options | None = None,
        options: RecognizeOptions | None = None,
    ) -> None:
        if options is not None and not isinstance(options, RecognizeOptions):
            raise TypeError(f"options is {type(options).__name__}; give a RecognizeOptions.")
        self.device = torch_device(device)
        self.options = options or RecognizeOptions()
        own = own_model(model)
        self.model: Model | ForeignModel
        self.off: tuple[str, ...] = ()  # techniques that were asked for and the model cannot serve
        chosen: Options
        if own is not None:
            if labels is not None:
                raise TypeError("labels are given with a function; this model has labels of its own.")
            self.model = own.to(self.device).eval()
            # the decoder's default number of hypotheses must not cap what is asked for here
            chosen = DecodeOptions(nbest=max(DecodeOptions().nbest, self.options.nbest)) if decode is None else decode
        else:
            self.model = foreign(model, labels, blank, sample_rate)
            usual = usual_options(self.model, self.options.nbest) if decode is None else decode
            chosen, self.off = servable(usual, self.model)
        self.decoder = _decoder(self.model.vocabulary, lm, chosen)
        self.adapting = _adapting(self.model, chosen)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.model.sample_rate

    @property
    def own(self) -> Model:
        """The model where it is asrbias' own. Raises TypeError for another's."""
        if isinstance(self.model, ForeignModel):
            raise TypeError(f"{self.model.name} is no model of asrbias' own, which is needed here.")
        return self.model

    def describe(self) -> str:
        """What is at work: the model, its labels and frames, and which techniques are on, or off and why."""
        return describe(self)

    def transcribe(self, audio: Any, entities: Entities = None) -> Transcript:
        """One recording: a path, samples [S] at `sample_rate`, or (samples, rate in Hz); `entities` may be written.

        Raises `AudioError` for audio that cannot be used and `EntityError` for a list that cannot be read.
        """
        return self.transcribe_batch([audio], [EntityList.coerce(entities)])[0]

    def segments(
        self, audio: Any, entities: Entities = None, heard: Callable[[float], None] = lambda seconds: None
    ) -> Iterator[TranscriptSegment]:
        """A recording of any length, segment by segment, as they are found; `heard` is told the seconds read so far.

        Raises what `transcribe` raises.
        """
        return longform.segments(self, audio, EntityList.coerce(entities), self.options.segments, heard)

    def stream(
        self, entities: Entities = None, *, rate: int | None = None, options: StreamOptions | None = None
    ) -> RecognizerStream:
        """For audio that comes bit by bit, at `rate` Hz (None: `sample_rate`); see stream.py.

        Raises AudioError for a rate that cannot be, EntityError for a list that cannot be read.
        """
        if options is not None and not isinstance(options, StreamOptions):
            raise TypeError(f"options is {type(options).__name__}; give a StreamOptions.")
        return RecognizerStream(self, EntityList.coerce(entities), options or StreamOptions(), rate)

    def transcribe_batch(
        self, audio: Iterable[Any], entities: Iterable[Entities] | EntityList | None = None
    ) -> list[Transcript]:
        """Many recordings, each with its own list or None; or one EntityList for all of them.

        Raises what `transcribe` raises, with the number of the recording, counted from 0, where there are several.
        """
        recordings = _recordings(audio)
        lists = _lists(entities, len(recordings))
        if len(recordings) == 1:
            return [self._transcribe(recordings[0], lists[0])]
        found: list[Transcript] = []
        for number, item in enumerate(recordings):  # a path that is wrong is said before anything is done
            if isinstance(item, (str, PathLike)):
                try:
                    check_file(Path(item))
                except (AudioError, OSError) as error:
                    raise named(error, f"Recording {number}") from error
        given = (Recording(*one) for one in zip(recordings, lists, strict=True))
        options = PipelineOptions(window=max(1, len(recordings)), window_seconds=WINDOW)
        for transcript in transcripts(self, given, options):
            if isinstance(transcript, Failed):
                raise named(transcript.error, f"Recording {len(found)}") from transcript.error
            found.append(transcript)
        return found

    def _transcribe(self, audio: Any, entities: EntityList | None) -> Transcript:
        """One recording; without threads, which take longer to start than a short one to decode."""
        if (wave := self.whole(audio)) is None:
            return self.transcribe_long(audio, entities)
        (best,) = self.decode_posteriors(self.posteriors([wave]), [entities])
        seconds = len(wave) / self.sample_rate
        return build_transcript(best, entities, self.model.seconds_per_frame, seconds, self.options.nbest)

    def whole(self, audio: Any) -> Samples | None:
        """The samples of a recording; None where it is longer than `longform.WHOLE` and will be cut into segments.

        A file that does not say how long it is counts as long. Raises what `transcribe` raises.
        """
        if isinstance(audio, (str, PathLike)):
            seconds = file_seconds(Path(audio))
            return self.samples(audio) if seconds is not None and seconds <= longform.WHOLE else None
        wave = load_audio(audio, sample_rate=self.sample_rate)
        return wave if len(wave) <= longform.WHOLE * self.sample_rate else None

    def transcribe_long(self, audio: Any, entities: EntityList | None) -> Transcript:
        """In segments, whatever its length. Raises what `transcribe` raises."""
        seconds = [0.0]
        parts = list(longform.segments(self, audio, entities, self.options.segments, seconds.append))
        return longform.join(parts, seconds[-1])

    def decode_posteriors(
        self, heard: Sequence[Posteriors], lists: Sequence[EntityList | None], threads: int | None = None
    ) -> list[list[Hypothesis]]:
        """What `posteriors` gave, each with its list -> hypotheses, best first; `threads`: None for the options'."""
        log_probs, threads = [one.log_probs for one in heard], threads or self.options.threads
        if isinstance(self.decoder, JointDecoder):
            adapted = self.adapt(heard, lists)
            phones = [one.phones for one in heard]
            return self.decoder.decode_batch(log_probs, phones, lists, threads=threads, adapted=adapted)
        return self.decoder.decode_batch(log_probs, entities=lists, threads=threads)

    def adapt(self, heard: Sequence[Posteriors], lists: Sequence[EntityList | None]) -> list[Adapted | None]:
        """What the adapter makes of each recording and its list; None without an adapter or without a list."""
        return [
            self.adapting(one.hidden, one.log_probs if one.phones is None else one.phones, listed)
            if self.adapting is not None and one.hidden and listed
            else None
            for one, listed in zip(heard, lists, strict=True)
        ]

    def log_probs(self, waves: Sequence[Samples]) -> list[npt.NDArray[np.float32]]:
        """Samples [S] at `sample_rate` each -> natural-log posteriors [T, V] each, 40 ms a frame."""
        return [one.log_probs for one in self.posteriors(waves)]

    def posteriors(self, waves: Sequence[Samples]) -> list[Posteriors]:
        """Samples [S] at `sample_rate` each -> what the model's heads say of them."""
        check_waves(waves)
        found: dict[int, Posteriors] = {}
        for group in by_length([len(wave) for wave in waves], self.options.batch_seconds * self.sample_rate):
            encoded = self.encode([waves[index] for index in group])
            found |= {index: encoded[row] for row, index in enumerate(group)}
        return [found[index] for index in range(len(waves))]

    def encode(self, waves: Sequence[Samples]) -> EncodedBatch | ForeignBatch:
        """Samples [S] at `sample_rate` each, all in one batch; on a GPU this does not wait for the result."""
        if isinstance(self.model, ForeignModel):
            return ForeignBatch(self.model, waves)
        half = self.device.type == "cuda"
        return encode(self.model, waves, self.device, adapted=self.adapting is not None, half=half)

    def samples(self, audio: Any) -> Samples:
        """What `transcribe` takes -> samples [S] at `sample_rate`. Raises `AudioError`, OSError."""
        wave = load_audio(audio, sample_rate=self.sample_rate)
        seconds = len(wave) / self.sample_rate
        if seconds > LONGEST:
            raise AudioError(
                f"The audio is {seconds:.0f} s long, at most {LONGEST:.0f} s go into the encoder at once; "
                "`transcribe` and `segments` cut what is longer."
            )
        return wave


def _adapting(model: Model | ForeignModel, options: Options) -> Adapting | None:
    """The model's adapter, if the options have it on."""
    if not isinstance(options, JointOptions) or options.adapter is None:
        return None
    if model.adapter is None:
        raise ValueError("The options have an adapter on but the model has none; set adapter to None, or train one.")
    if isinstance(model, ForeignModel):
        from asrbias.foreign_adapting import ForeignAdapting

        return ForeignAdapting(model, options.adapter)
    return Adapting(model.encoder, model.adapter, model.vocabulary, options.adapter)


def _decoder(
    vocabulary: Vocabulary | Labels, lm: LanguageModel | None, options: Options
) -> JointDecoder | PyctcdecodeDecoder:
    """The decoder whose options these are."""
    if isinstance(options, PyctcdecodeOptions):
        return PyctcdecodeDecoder(vocabulary.labels, blank=vocabulary.blank, lm=lm, options=options)
    joint = JointOptions(decode=options) if isinstance(options, DecodeOptions) else options
    if not isinstance(joint, JointOptions):
        raise TypeError(
            f"decode is {type(options).__name__}; give JointOptions, DecodeOptions, PyctcdecodeOptions, or a file of "
            "options (decode.json)."
        )
    return JointDecoder(vocabulary.labels, blank=vocabulary.blank, lm=lm, options=joint)


def torch_device(device: str | torch.device) -> torch.device:
    import torch

    kind, colon, number = str(device).partition(":")
    if kind not in ("cpu", "cuda") or (colon and not number.isdecimal()):
        raise ValueError(f"The device {str(device)!r} is unknown; use 'cpu', 'cuda' or 'cuda:N'.")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if int(number or 0) >= count:
        seen = f"{count} GPU" if count else "no GPU"
        raise ValueError(f"The device {str(device)!r} was asked for but torch sees {seen}; use device='cpu'.")
    return torch.device(kind, int(number)) if number else torch.device(kind)


def _recordings(audio: Iterable[Any]) -> list[Any]:
    pair = isinstance(audio, tuple) and len(audio) == 2 and isinstance(audio[1], (int, np.integer))  # (samples, rate)
    path = isinstance(audio, (str, bytes, PathLike))
    if pair or path or getattr(audio, "ndim", 2) < 2 or not isinstance(audio, Iterable):
        raise TypeError(
            f"transcribe_batch takes a list of recordings, not one {type(audio).__name__}; for one, call transcribe."
        )
    return list(audio)


def _lists(entities: Iterable[Entities] | EntityList | None, count: int) -> list[EntityList | None]:
    if entities is None or isinstance(entities, EntityList):
        return [entities] * count
    items = list(entities) if isinstance(entities, Iterable) and not isinstance(entities, (str, bytes)) else [""]
    if any(isinstance(item, (str, Entity)) for item in items):
        raise TypeError(
            "transcribe_batch takes a list of entities for each recording; for one list, pass an EntityList."
        )
    if len(items) != count:
        raise ValueError(f"There are {count} recordings but {len(items)} lists; give a list (or None) for each.")
    coerced: dict[int, EntityList | None] = {}
    for number, item in enumerate(items):  # a list given to many recordings is read once
        if id(item) not in coerced:
            try:
                coerced[id(item)] = EntityList.coerce(item)
            except (EntityError, EntityTypeError) as error:
                raise type(error)(f"List {number}: {error}" if count > 1 else str(error)) from error
    return [coerced[id(item)] for item in items]
