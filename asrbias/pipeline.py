"""Many recordings to transcripts, in their order: they are read ahead on threads, the calling thread encodes them in
batches of like length, and what is encoded is decoded on threads while the next batch is encoded.

    recordings = (Recording(path, names) for path in paths)         # of any number: asked for as they are needed
    for transcript in transcripts(recognizer, recordings): ...

What is held does not grow with their number: `ahead` recordings that were read, a window of those that are grouped by
length, and `batches` encoded ones. No thread is left when it ends, breaks off, or is closed before its end.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asrbias.audio import Samples
from asrbias.encoding import by_length
from asrbias.joint import JointDecoder
from asrbias.transcript import Transcript, build_transcript

if TYPE_CHECKING:
    from asrbias.encoding import EncodedBatch, ForeignBatch
    from asrbias.entities import EntityList
    from asrbias.recognizer import Recognizer

READERS = 4  # threads that read recordings, at most; one for four cores
_starting = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """How much is held at once."""

    window: int = 256  # recordings of which those of like length are encoded together, at most
    window_seconds: float = 960.0  # of audio, after which a window is full
    ahead: int = 32  # recordings that are read before they are needed
    batches: int = 2  # that are encoded and not decoded yet


@dataclass(frozen=True, eq=False)
class Recording:
    """What is to be transcribed."""

    audio: Any  # what Recognizer.transcribe takes
    entities: EntityList | Callable[[], EntityList | None] | None = None  # a function is called when it is decoded
    name: str = ""  # in errors; without one it is "Recording" and its number, counted from 0

    def listed(self) -> EntityList | None:
        return self.entities() if callable(self.entities) else self.entities


@dataclass(frozen=True, eq=False)
class Failed:
    """Instead of a transcript: why a recording cannot be read or, if it is a long one, not be transcribed."""

    error: OSError | ValueError


@dataclass(frozen=True, eq=False)
class _Read:
    number: int
    recording: Recording
    wave: Samples | Failed | None  # None: it is long, and will be read bit by bit

    @property
    def name(self) -> str:
        return self.recording.name or f"Recording {self.number}"


def transcripts(
    recognizer: Recognizer, recordings: Iterable[Recording], options: PipelineOptions | None = None
) -> Generator[Transcript | Failed, None, None]:
    """One for each recording.

    Whatever else goes wrong, on any thread, is raised after the transcripts that are known of the recordings before it,
    and begins with the name of its recording.
    """
    options = options or PipelineOptions()
    cores = recognizer.options.threads or _cores()
    searches = cores if isinstance(recognizer.decoder, JointDecoder) else 1  # pyctcdecode's has no threads
    reading = max(1, min(READERS, cores // 4))
    with _Threads(reading, "asrbias-read") as readers, _Threads(searches, "asrbias-decode") as decoders:
        read = _read_ahead(recognizer, recordings, readers, options.ahead)
        yield from _Flow(recognizer, decoders, options).run(read)


class _Flow:
    """Recordings that were read to transcripts."""

    def __init__(self, recognizer: Recognizer, decoders: ThreadPoolExecutor, options: PipelineOptions) -> None:
        self._recognizer, self._decoders, self._options = recognizer, decoders, options
        self._found: dict[int, Transcript | Failed | Future[Transcript]] = {}  # by the recording's number
        self._encoded: deque[list[Future[Transcript]]] = deque()  # batches that may not be decoded yet

    def run(self, read: Iterator[_Read]) -> Iterator[Transcript | Failed]:
        turn, broken = 0, None
        try:
            for window in _windows(read, self._options, self._recognizer.sample_rate):
                for _ in self._transcribe(window):
                    while self._is_known(turn):
                        yield self._take(turn)
                        turn += 1
        except Exception as error:
            broken = error
        while turn in self._found:
            yield self._take(turn)
            turn += 1
        if broken is not None:
            raise broken

    def _is_known(self, number: int) -> bool:
        found = self._found.get(number)
        return found.done() if isinstance(found, Future) else found is not None

    def _take(self, number: int) -> Transcript | Failed:
        found = self._found.pop(number)
        return found.result() if isinstance(found, Future) else found

    def _transcribe(self, window: Sequence[_Read]) -> Iterator[None]:
        """A window; gives way after each step."""
        short: list[tuple[_Read, Samples]] = []
        for one in window:
            if isinstance(one.wave, Failed):
                self._found[one.number] = one.wave
            elif one.wave is not None:
                short.append((one, one.wave))
        limit = self._recognizer.options.batch_seconds * self._recognizer.sample_rate
        for group in by_length([len(wave) for _, wave in short], limit):
            self._encode([short[index] for index in group])
            yield
        for one in window:  # while the last batch is decoded
            if one.wave is None:
                self._found[one.number] = self._long(one)
                yield

    def _encode(self, batch: Sequence[tuple[_Read, Samples]]) -> None:
        while len(self._encoded) >= self._options.batches:
            wait(self._encoded.popleft())
        try:
            encoded = self._recognizer.encode([wave for _, wave in batch])
        except Exception as error:
            raise named(error, *(one.name for one, _ in batch)) from error
        futures = []
        for row, (one, wave) in enumerate(batch):
            futures.append(self._decoders.submit(self._decode, encoded, row, one, len(wave)))
            self._found[one.number] = futures[-1]
        self._encoded.append(futures)

    def _decode(self, encoded: EncodedBatch | ForeignBatch, row: int, one: _Read, samples: int) -> Transcript:
        recognizer = self._recognizer
        try:
            listed = one.recording.listed()
            (best,) = recognizer.decode_posteriors([encoded[row]], [listed], threads=1)
        except Exception as error:
            raise named(error, one.name) from error
        frame, seconds = recognizer.model.seconds_per_frame, samples / recognizer.sample_rate
        return build_transcript(best, listed, frame, seconds, recognizer.options.nbest)

    def _long(self, one: _Read) -> Transcript | Failed:
        try:
            return self._recognizer.transcribe_long(one.recording.audio, one.recording.listed())
        except (OSError, ValueError) as error:  # it may turn out to be damaged while it is read
            return Failed(error)
        except Exception as error:
            raise named(error, one.name) from error


def named(error: Exception, *names: str) -> Exception:
    """The same error, if one can be made of a sentence, that says which recordings met it."""
    said = f"{', '.join(names)}: {error}"
    try:
        return type(error)(said)
    except Exception:  # a type that wants something else than a sentence
        return RuntimeError(f"{', '.join(names)}: {type(error).__name__}: {error}")


def _read_ahead(
    recognizer: Recognizer, recordings: Iterable[Recording], readers: ThreadPoolExecutor, ahead: int
) -> Iterator[_Read]:
    waiting: deque[Future[_Read]] = deque()
    for number, recording in enumerate(recordings):
        waiting.append(readers.submit(_read, recognizer, number, recording))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _read(recognizer: Recognizer, number: int, recording: Recording) -> _Read:
    try:
        return _Read(number, recording, recognizer.whole(recording.audio))
    except (OSError, ValueError) as error:
        return _Read(number, recording, Failed(error))
    except Exception as error:
        raise named(error, _Read(number, recording, None).name) from error


def _windows(read: Iterator[_Read], options: PipelineOptions, rate: int) -> Iterator[list[_Read]]:
    window: list[_Read] = []
    seconds = 0.0
    for one in read:
        window.append(one)
        seconds += len(one.wave) / rate if one.wave is not None and not isinstance(one.wave, Failed) else 0.0
        if len(window) >= options.window or seconds >= options.window_seconds:
            yield window
            window, seconds = [], 0.0
    if window:
        yield window


class _Threads(ThreadPoolExecutor):
    """Threads that run torch on one thread each; at the end what has not begun is dropped, and all are waited for.

    By default each of them would start as many more threads as there are cores for its first product of matrices.
    """

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count, name)
        torch = sys.modules.get("torch")
        if torch is None:
            return
        together = threading.Barrier(count)

        def begin() -> None:
            together.wait()  # so that each of them does this once
            torch.get_num_threads()  # a thread's first use of torch sets what holds for all threads
            torch.set_num_threads(1)

        with _starting:
            before = torch.get_num_threads()
            try:
                wait([self.submit(begin) for _ in range(count)])
            except BaseException:  # there are no more threads to be had
                together.abort()
                raise
            torch.set_num_threads(before)  # what is set last counts for threads that begin later, whoever sets it

    def __exit__(self, *error: object) -> None:
        self.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
