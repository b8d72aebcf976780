"""Segments cut out of the sessions' recordings, as get_asr_data.py cuts them, into lossless FLAC.

A segment is the samples int(start * rate) to int(end * rate) of each of its stretches, cut off at the recording's end.
A recording is decoded from its beginning: libsndfile's seeking in Ogg Vorbis lands beside the sample asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from voxpopuli.annotations import Segment

RATE = 16_000  # Hz, of the release


@dataclass(frozen=True)
class Cut:
    """What became of a segment."""

    id: str
    seconds: float  # of audio that was written
    wrong: str = ""  # why there is none


def audio_path(segment: Segment) -> Path:
    """Below segments/; no colons, which some file systems do not take."""
    return Path(segment.session[:4]) / f"{segment.id.replace(':', '.')}.flac"


def cut_all(segments: Sequence[Segment], raw: Path, folder: Path, workers: int) -> Iterator[Cut]:
    """Cut every segment that is not there yet; yields a result a segment."""
    sessions: dict[Path, list[Segment]] = {}
    for segment in segments:
        sessions.setdefault(segment.recording, []).append(segment)
    tasks = [(raw / recording, folder, tuple(members)) for recording, members in sorted(sessions.items())]
    if workers <= 1 or len(tasks) == 1:
        for task in tasks:
            yield from cut_session(task)
        return
    with ProcessPoolExecutor(workers) as pool:
        for cuts in pool.map(cut_session, tasks):
            yield from cuts


def cut_session(task: tuple[Path, Path, tuple[Segment, ...]]) -> list[Cut]:
    """Cut the segments of one recording."""
    recording, folder, segments = task
    targets = [folder / audio_path(segment) for segment in segments]
    if all(target.is_file() for target in targets):
        return [Cut(s.id, soundfile.info(target).duration) for s, target in zip(segments, targets, strict=True)]
    if not recording.is_file():
        return [Cut(segment.id, 0.0, f"there is no recording {recording.name}") for segment in segments]
    try:
        with soundfile.SoundFile(recording) as file:
            if file.samplerate != RATE or file.channels != 1:
                wrong = f"{recording.name} has {file.channels} channels of {file.samplerate} Hz, not 1 of {RATE}"
                return [Cut(segment.id, 0.0, wrong) for segment in segments]
            last = max(end for segment in segments for _, end in segment.stretches)
            samples: npt.NDArray[np.int16] = file.read(int(last * RATE), dtype="int16")  # at most; 115 MB an hour
    except soundfile.LibsndfileError as error:
        wrong = f"{recording.name} cannot be read: {error.error_string}"
        return [Cut(segment.id, 0.0, wrong) for segment in segments]
    return [_cut(samples, segment, target) for segment, target in zip(segments, targets, strict=True)]


def _cut(recording: npt.NDArray[np.int16], segment: Segment, target: Path) -> Cut:
    parts = [recording[int(start * RATE) : int(end * RATE)] for start, end in segment.stretches]
    samples = np.concatenate(parts)
    if not len(samples):
        return Cut(segment.id, 0.0, f"it lies beyond the end of its recording ({len(recording) / RATE:.1f} s)")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        soundfile.write(part, samples, RATE, format="FLAC", subtype="PCM_16")
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return Cut(segment.id, len(samples) / RATE)
