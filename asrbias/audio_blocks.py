"""A recording of any length as blocks of samples, so that hours need no more memory than minutes."""

from __future__ import annotations

from collections.abc import Iterator
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
    """The same samples as if all were resampled at once: each part is, with what stands before and after it."""
    if rate == wanted:
        yield from blocks
        return
    step = rate // gcd(rate, wanted)  # samples after which the filters' phases repeat
    context = -(-CONTEXT * max(rate, wanted) // (wanted * step)) * step
    held = np.zeros(0, np.float32)  # from `context` samples before what is next, or from the beginning
    before = 0
    for block in blocks:
        held = np.concatenate([held, block])
        ready = (len(held) - before - context) // step * step
        if ready > 0:
            some = resample(held[: before + ready + context], rate, wanted)
            yield some[before * wanted // rate :][: ready * wanted // rate]
            keep = max(0, before + ready - context)
            held, before = held[keep:], before + ready - keep
    if len(held) > before:
        yield resample(held, rate, wanted)[before * wanted // rate :]
