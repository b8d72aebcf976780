"""A recording of any length as blocks of samples, so that hours need no more memory than minutes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import gcd
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from asrbias.audio import (
    CONTAINERS,
    AudioError,
    Samples,
    check_file,
    check_samples,
    container_blocks,
    container_seconds,
    load_audio,
    resample,
    unreadable,
    warn_if_cut,
)

CONTEXT = 64  # samples of the lower of both rates that torchaudio's resampling looks at on either side, and more


def audio_blocks(source: Any, *, sample_rate: int = 16_000, seconds: float = 30.0) -> Iterator[Samples]:
    """What `load_audio` takes -> samples [S] of about `seconds` each, mono, in order.

    One after the other they are what `load_audio` gives. Only files are read bit by bit. Raises AudioError, OSError.
    """
    if not isinstance(source, (str, PathLike)):
        samples = load_audio(source, sample_rate=sample_rate)
        size = max(1, round(seconds * sample_rate))
        yield from (samples[begin : begin + size] for begin in range(0, len(samples), size))
        return
    path = Path(source)
    check_file(path)
    if path.suffix.lower() in CONTAINERS:
        rate, blocks = container_blocks(path, seconds)
    else:
        rate, blocks = _soundfile_blocks(path, seconds)
    empty = True
    for block in _resampled(_checked(blocks, rate, str(path)), rate, sample_rate):
        empty = False
        yield block
    if empty:
        raise AudioError(f"There are no samples in {path}; give audio of at least one sample.")


def file_seconds(path: Path) -> float | None:
    """How long a file says it is; None where only reading it would tell. Raises AudioError, OSError."""
    check_file(path)
    if path.suffix.lower() in CONTAINERS:
        return container_seconds(path)
    import soundfile

    try:
        return float(soundfile.info(path).duration)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        raise unreadable(path, error) from error


def _soundfile_blocks(path: Path, seconds: float) -> tuple[int, Iterator[Samples]]:
    import soundfile

    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        raise unreadable(path, error) from error
    warn_if_cut(path)

    def blocks() -> Iterator[Samples]:
        with file:
            while True:
                try:
                    block = file.read(max(1, round(seconds * file.samplerate)), dtype="float32", always_2d=True)
                except (soundfile.LibsndfileError, RuntimeError) as error:
                    raise unreadable(path, error) from error
                if not len(block):
                    return
                yield block.mean(1)

    return int(file.samplerate), blocks()


def _checked(blocks: Iterator[Samples], rate: int, name: str) -> Iterator[Samples]:
    for block in blocks:
        if len(block):
            check_samples(block, rate, name)
            yield np.ascontiguousarray(block)


def _resampled(blocks: Iterator[Samples], rate: int, wanted: int) -> Iterator[Samples]:
    converter = BlockResampler(rate, wanted)
    for block in chain(map(converter.push, blocks), (converter.finish() for _ in range(1))):
        if len(block):
            yield block


class BlockResampler:
    """Gives the same samples as if all were resampled at once: each part is, with what stands before and after it.

    Args:
        rate, wanted: Hz.
    """

    def __init__(self, rate: int, wanted: int) -> None:
        self.rate, self.wanted = rate, wanted
        self._step = rate // gcd(rate, wanted)  # samples after which the filters' phases repeat
        self._context = -(-CONTEXT * max(rate, wanted) // (wanted * self._step)) * self._step
        self._held = np.zeros(0, np.float32)  # from `context` samples before what is next, or from the beginning
        self._before = 0

    def push(self, block: Samples) -> Samples:
        """samples [S] at `rate` -> those at `wanted` that are known by now."""
        if self.rate == self.wanted:
            return block
        self._held = np.concatenate([self._held, block])
        ready = (len(self._held) - self._before - self._context) // self._step * self._step
        if ready <= 0:
            return np.zeros(0, np.float32)
        some = self._converted(self._held[: self._before + ready + self._context])
        keep = max(0, self._before + ready - self._context)
        self._held, self._before = self._held[keep:], self._before + ready - keep
        return some[: ready * self.wanted // self.rate]

    def finish(self) -> Samples:
        """The rest."""
        rest = self._converted(self._held) if len(self._held) > self._before else np.zeros(0, np.float32)
        self._held, self._before = np.zeros(0, np.float32), 0
        return rest

    def _converted(self, samples: Samples) -> Samples:
        return resample(samples, self.rate, self.wanted)[self._before * self.wanted // self.rate :]
