"""Any recording or array -> mono float32 samples at the model's rate."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
# The integers that audio is kept in, by what they are divided by. An int64 array (what a list of ints becomes) holds
# 16-bit samples as a rule: by its own range it would be silence.
INTEGERS = {"int8": 127, "int16": 32_767, "int32": 2_147_483_647}
RATES = (1_000, 768_000)  # Hz: outside this, a rate is a mistake (kHz given for Hz, or a length for a rate)
CONTAINERS = (".m4a", ".mp4", ".webm", ".aac", ".mka", ".mkv", ".mov")  # what libsndfile does not read and PyAV does


class AudioError(ValueError):
    """The audio cannot be used; the message says why and what can."""


@dataclass(frozen=True)
class AudioPart:
    """Some seconds of a file, to be given wherever audio is; what is beyond the file's end is left out."""

    path: Path
    start: float  # seconds
    seconds: float | None = None  # None: to the end


def load_audio(source: Any, *, sample_rate: int = 16_000) -> Samples:
    """A path, an AudioPart, an array at the model's rate, or (array, rate in Hz) -> mono samples [S] in about -1..1.

    Arrays are [S], [channels, S] or [S, channels] (the shorter axis is the channels; they are averaged), of any float
    type, or of int8, int16, int32 or uint8, which are scaled by their type's range.
    """
    if isinstance(source, (str, PathLike)):
        return read_audio(Path(source), sample_rate=sample_rate)
    if isinstance(source, AudioPart):
        return _read_part(source, sample_rate)
    if isinstance(source, (bytes, bytearray)):
        raise AudioError("Audio was given as bytes, which have no rate; give a path, or (array, rate in Hz).")
    rate: Any = sample_rate
    if isinstance(source, tuple):
        if len(source) != 2:
            raise AudioError(f"Audio was given as a tuple of {len(source)}; give a path, or (array, rate in Hz).")
        source, rate = source
        if isinstance(source, (str, PathLike)):
            raise AudioError(f"The path {str(source)!r} came with a rate; a file tells its own, give the path alone.")
    return _prepare(mono(source), rate, sample_rate, "the array")


def mono(source: Any) -> Samples:
    """An array such as `load_audio` takes -> samples [S] of one channel. Raises AudioError."""
    return _scale(_array(source))


def read_audio(path: Path, *, sample_rate: int = 16_000) -> Samples:
    """Decode a file -> samples [S]: wav, flac, mp3, ogg, opus, aiff, au; with the extra `audio` also m4a, mp4, webm."""
    check_file(path)
    if path.suffix.lower() in CONTAINERS:
        data, rate = _read_container(path)
    else:
        data, rate = _read_soundfile(path)
    return _prepare(data, rate, sample_rate, str(path))


def _read_part(part: AudioPart, sample_rate: int) -> Samples:
    """Raises AudioError, also where the file ends before the part begins."""
    path, name = part.path, f"{part.path} from {part.start:g} s"
    for what, value in (("start", part.start), ("seconds", part.seconds)):
        if value is not None and not 0 <= value < float("inf"):
            raise AudioError(f"The {what} of a part of {path} is {value!r}; give a number of seconds, 0 or more.")
    check_file(path)
    if path.suffix.lower() in CONTAINERS:
        data, rate = _read_container(path)
        first = round(part.start * rate)
        data = data[first:] if part.seconds is None else data[first : first + round(part.seconds * rate)]
    else:
        data, rate = _read_soundfile(path, part.start, part.seconds)
    if not len(data):
        raise AudioError(f"There are no samples in {name}; give a part that lies in the recording.")
    return _prepare(data, rate, sample_rate, name)


def check_file(path: Path) -> None:
    """Raises FileNotFoundError, or AudioError for a folder or an empty file."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; check the path.")
    if path.is_dir():
        raise AudioError(f"{path} is a folder; give an audio file, or --manifest for many.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty (0 bytes); give a file with audio in it.")


def unreadable(path: Path, error: Exception) -> AudioError:
    """For what libsndfile says of a file."""
    formats = "wav, flac, mp3, ogg, opus, aiff or au"
    return AudioError(f"{path} cannot be read as audio ({str(error).rstrip('.')}); give a whole {formats} file.")


def _read_soundfile(path: Path, start: float = 0.0, seconds: float | None = None) -> tuple[Samples, int]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            if start:
                file.seek(min(round(start * rate), file.frames))
            data = file.read(-1 if seconds is None else round(seconds * rate), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:  # TypeError: .raw has no rate of its own
        raise unreadable(path, error) from error
    warn_if_cut(path)
    return data.mean(1), rate


def warn_if_cut(path: Path) -> None:
    """A wav whose header promises more than the file holds was cut off; what is there is used, and said."""
    with open(path, "rb") as file:
        head = file.read(12)
        promised = int.from_bytes(head[4:8], "little") + 8
        held = file.seek(0, 2)
    streamed = promised >= 0xFFFFFF00  # a recorder that did not know the length in advance
    if head[:4] == b"RIFF" and head[8:] == b"WAVE" and not streamed and held < promised - 1:
        warnings.warn(
            f"{path} was cut off: its header promises {promised} bytes, it holds {held}; only these are transcribed.",
            stacklevel=4,
        )


def _read_container(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    rate, blocks = container_blocks(path, seconds=60.0)
    parts = list(blocks)
    return (np.concatenate(parts) if parts else np.zeros(0, np.float32)), rate


def _import_av(path: Path) -> Any:
    try:
        import av
    except ImportError as error:
        raise AudioError(
            f"{path} needs PyAV, which is not installed; pip install 'asrbias[audio]', or convert it to wav."
        ) from error
    return av


def _container(path: Path) -> tuple[int, float | None]:
    """Rate in Hz, and seconds where the file tells."""
    av = _import_av(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError(f"{path} has no audio track; give a file that has one.")
            seconds = container.duration / av.time_base if container.duration else None
            return int(container.streams.audio[0].rate), seconds
    except av.FFmpegError as error:
        raise AudioError(f"{path} cannot be read as audio ({error}); give a whole file.") from error


def container_seconds(path: Path) -> float | None:
    """How long a file that only PyAV reads says it is."""
    return _container(path)[1]


def container_blocks(path: Path, seconds: float) -> tuple[int, Iterator[Samples]]:
    """What only PyAV reads: its rate in Hz, and mono samples in blocks of about `seconds`."""
    av, (rate, _) = _import_av(path), _container(path)

    def blocks() -> Iterator[Samples]:
        parts: list[Samples] = []
        try:
            with av.open(str(path)) as container:
                resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
                for frame in chain(container.decode(audio=0), [None]):  # None: what the resampler still holds
                    parts += [out.to_ndarray().reshape(-1) for out in resampler.resample(frame)]
                    if sum(map(len, parts)) >= seconds * rate:
                        yield np.concatenate(parts)
                        parts = []
        except av.FFmpegError as error:
            raise AudioError(f"{path} cannot be read as audio ({error}); give a whole file.") from error
        if parts:
            yield np.concatenate(parts)

    return rate, blocks()


def _array(source: Any) -> npt.NDArray[Any]:
    """Whatever holds samples, as numpy has it."""
    if hasattr(source, "detach"):  # torch, without importing it
        source = source.detach().cpu()
        source = (source.float() if source.is_floating_point() else source).numpy()  # numpy has no bfloat16
    try:
        array = np.asarray(source)
    except ValueError as error:
        raise AudioError("The samples are lists of unequal length; give [samples] or [channels, samples].") from error
    if array.ndim == 0:
        raise AudioError(
            f"Audio was given as {type(source).__name__}; give a path, an array of samples, or (array, rate in Hz)."
        )
    return array


def _scale(data: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Integers by their type's range, two-dimensional arrays to one channel."""
    if data.ndim > 2:
        raise AudioError(f"The array has shape {data.shape}; give [samples] or [channels, samples].")
    if data.dtype == np.uint8:
        data = (data.astype(np.float32) - 128.0) / 128.0
    elif data.dtype.name in INTEGERS:
        data = data.astype(np.float32) / float(INTEGERS[data.dtype.name])
    elif not np.issubdtype(data.dtype, np.floating):
        raise AudioError(
            f"The array holds {data.dtype}; give floating-point samples in -1..1, or {', '.join(INTEGERS)} or uint8."
        )
    if data.ndim == 2 and data.size:
        data = data.mean(int(np.argmin(data.shape)))
    with np.errstate(over="ignore"):  # infinite is what _prepare then says of it
        return data.reshape(-1).astype(np.float32)


def _prepare(data: npt.NDArray[np.float32], rate: Any, wanted: int, name: str) -> Samples:
    """Check the samples, bring them to the wanted rate."""
    if data.size == 0:
        raise AudioError(f"There are no samples in {name}; give audio of at least one sample.")
    check_samples(data, rate, name)
    return resample(np.ascontiguousarray(data), int(rate), wanted)


def check_samples(data: npt.NDArray[np.float32], rate: Any, name: str) -> None:
    """Raises AudioError for a rate that cannot be, or samples that are no audio."""
    if isinstance(rate, bool) or not isinstance(rate, (int, np.integer)) or not RATES[0] <= rate <= RATES[1]:
        raise AudioError(f"The rate of {name} is {rate!r}; give it in Hz as a whole number in {RATES[0]}..{RATES[1]}.")
    bad = int(np.count_nonzero(~np.isfinite(data)))
    if bad:
        raise AudioError(f"{bad} of {data.size} samples in {name} are NaN or infinite; repair the recording first.")
    peak = float(np.abs(data).max())
    if peak > 64.0:
        raise AudioError(
            f"Samples in {name} reach {peak:.0f}; floating-point audio lies in -1..1, so divide by its range."
        )


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """samples [S] at `rate` Hz -> [S'] at `wanted` Hz, by torchaudio's windowed sinc."""
    if rate == wanted:
        return samples
    import torch

    from asrbias.torchaudio_import import import_torchaudio

    converted: Samples = import_torchaudio().functional.resample(torch.from_numpy(samples), rate, wanted).numpy()
    return converted
