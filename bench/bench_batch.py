"""A batch of recordings, greedy against all of decoding: python bench/bench_batch.py [MANIFEST] [--device cuda]

Without a manifest the recordings are pieces of the demo's speech, so that nothing else is needed; lists are made up.
Prints, for greedy decoding and for lists of 100 and 1,000: how long encoding takes alone, decoding alone and both at
once (asrbias.pipeline, samples in memory), in seconds of the clock and of the processors, and seconds of audio a second
of the clock. --decoders N: threads that decode. On a GPU also what the posteriors' copy to the host takes.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from bench_decoder import make_words

import asrbias
from asrbias.audio import Samples, read_audio
from asrbias.encoding import Posteriors, by_length
from asrbias.entities import EntityList
from asrbias.manifest import read_manifest
from asrbias.pipeline import PipelineOptions, Recording, transcripts
from asrbias.recognizer import RecognizeOptions, Recognizer

DEMO = Path(__file__).resolve().parents[1] / "recipes" / "starter" / "demo"
WIDTHS = (256, 1_024, 5_120)  # labels whose posteriors are copied


@dataclass(frozen=True)
class Took:
    """Seconds."""

    clock: float
    processors: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} s ({self.processors:.2f} s of processors)"


def took(call: Callable[[], object], repeat: int) -> Took:
    """The quickest of several."""
    found = []
    for _ in range(repeat):
        clock, processors = time.perf_counter(), time.process_time()
        call()
        found.append(Took(time.perf_counter() - clock, time.process_time() - processors))
    return min(found, key=lambda one: one.processors)


def pieces(seconds: float) -> list[Samples]:
    """Parts of the demo's speech, 2 to 12 s each."""
    speech = np.concatenate([read_audio(path) for path in sorted(DEMO.glob("*.flac"))])
    random = np.random.default_rng(0)
    found: list[Samples] = []
    while sum(map(len, found)) < seconds * 16_000:
        size = int(random.uniform(2, 12) * 16_000)
        found.append(np.roll(speech, -int(random.integers(len(speech))))[:size])
    return found


def greedy(heard: Posteriors, labels: Sequence[str]) -> str:
    """The best label of each frame, repetitions and blanks left out."""
    best = heard.log_probs.argmax(1)
    kept = best[np.concatenate([[True], best[1:] != best[:-1]]) & (best != 0)]
    return "".join(labels[label] for label in kept).replace("▁", " ")


def batches(recognizer: Recognizer, waves: Sequence[Samples]) -> Iterator[list[int]]:
    """As the pipeline makes them."""
    window = PipelineOptions().window
    limit = recognizer.options.batch_seconds * recognizer.sample_rate
    for begin in range(0, len(waves), window):
        some = range(begin, min(begin + window, len(waves)))
        yield from ([some[i] for i in group] for group in by_length([len(waves[n]) for n in some], limit))


def encode_all(recognizer: Recognizer, waves: Sequence[Samples]) -> list[Posteriors]:
    found: dict[int, Posteriors] = {}
    waiting: list[tuple[list[int], object]] = []
    for group in batches(recognizer, waves):
        waiting.append((group, recognizer.encode([waves[n] for n in group])))
        if len(waiting) > 1:
            collect(found, *waiting.pop(0))
    for one in waiting:
        collect(found, *one)
    return [found[n] for n in range(len(waves))]


def collect(found: dict[int, Posteriors], group: list[int], encoded: object) -> None:
    found.update({n: encoded[row] for row, n in enumerate(group)})  # type: ignore[index]


def decode_all(recognizer: Recognizer, heard: Sequence[Posteriors], listed: EntityList | None, threads: int) -> None:
    """Each recording by itself on some thread, as the pipeline does it."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda one: recognizer.decode_posteriors([one], [listed], threads=1), heard))


def transcribe_all(recognizer: Recognizer, given: Sequence[Recording]) -> None:
    for _ in transcripts(recognizer, given):
        pass


def copies(recognizer: Recognizer, frames: int) -> None:
    """What copying [T, V] float32 of so many frames to the host takes, from a GPU."""
    for width in WIDTHS:
        there = torch.zeros(frames, width, device=recognizer.device)
        here = torch.empty(there.shape, pin_memory=True)
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(10):
            here.copy_(there, non_blocking=True)
        torch.cuda.synchronize()
        print(f"copying {frames:,} frames of {width:,} labels: {(time.perf_counter() - begin) * 100:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", nargs="?", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=600.0, help="of audio, of the demo or of the manifest's first")
    parser.add_argument("--entities", type=int, nargs="+", default=[100, 1_000])
    parser.add_argument("--decoders", type=int, help="threads that decode (default: one a core)")
    parser.add_argument("--batch-seconds", type=float, default=120.0)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    threads = arguments.decoders or len(os.sched_getaffinity(0))
    options = RecognizeOptions(threads=threads, batch_seconds=arguments.batch_seconds)
    recognizer = asrbias.load(device=arguments.device, options=options)
    waves = recordings(arguments.manifest, arguments.seconds)
    seconds = sum(map(len, waves)) / recognizer.sample_rate
    print(f"{len(waves)} recordings, {seconds:.0f} s, {arguments.device}, torch on {torch.get_num_threads()} threads, "
          f"{threads} decoding")  # fmt: skip
    heard = encode_all(recognizer, waves)
    labels = recognizer.decoder.labels
    repeat = arguments.repeat
    encoding = took(lambda: encode_all(recognizer, waves), repeat)
    base = took(lambda: [greedy(one, labels) for one in encode_all(recognizer, waves)], repeat)
    print(f"encoding: {encoding}\ngreedy, both: {base}, {seconds / base.clock:,.0f} s of audio a second")
    words = make_words(np.random.default_rng(0), max(arguments.entities))
    for count in [0, *arguments.entities]:
        listed = EntityList(words[:count]) if count else None
        decode_all(recognizer, heard[:8], listed, threads)  # compiled once, as a service has it
        decoding = took(partial(decode_all, recognizer, heard, listed, threads), repeat)
        both = took(partial(transcribe_all, recognizer, [Recording(wave, listed) for wave in waves]), repeat)
        rate, clock, processors = seconds / both.clock, both.clock / base.clock, both.processors / base.processors
        print(f"list of {count:,}: decoding {decoding}; both at once {both}, {rate:,.0f} s of audio a second; "
              f"{clock:.2f} times greedy ({processors:.2f} times its processors)")  # fmt: skip
    if recognizer.device.type == "cuda":
        copies(recognizer, round(arguments.batch_seconds / recognizer.model.seconds_per_frame))


def recordings(manifest: Path | None, seconds: float) -> list[Samples]:
    if manifest is None:
        return pieces(seconds)
    found: list[Samples] = []
    for line in read_manifest(manifest):
        if sum(map(len, found)) >= seconds * 16_000:
            break
        found.append(read_audio(line.audio))
    return found


if __name__ == "__main__":
    main()
