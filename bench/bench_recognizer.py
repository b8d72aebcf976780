"""How fast the starter is from audio to text: python bench/bench_recognizer.py [--posteriors OUT.npz AUDIO...]

Prints the share of real time that a 10 s recording takes with a list of 1,000 (model loaded, list already compiled and
not), and how long a fresh process takes to its first result. The recording is the demo's speech, repeated to 10 s. With
--posteriors it also saves the starter's posteriors of the given recordings for bench_decoder.py.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench_decoder import make_words

import asrbias
from asrbias.audio import read_audio

DEMO = Path(__file__).resolve().parents[1] / "recipes" / "starter" / "demo"
FRESH = "import asrbias; print(asrbias.load().transcribe({path!r}, ['Casablanca', 'Montevideo', 'Rotterdam']).text)"


def median_seconds(call: Callable[[], object], repeat: int) -> float:
    """Median duration of a call in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--posteriors", type=Path, metavar="OUT.npz")
    parser.add_argument("audio", nargs="*", type=Path)
    arguments = parser.parse_args()
    recognizer = asrbias.load()
    speech = np.concatenate([read_audio(path) for path in sorted(DEMO.glob("*.flac"))])[:160_000]
    words = make_words(np.random.default_rng(0), 1_000)
    listed = asrbias.EntityList(words)
    recognizer.transcribe(speech, listed)
    for name, call in (
        ("no list", lambda: recognizer.transcribe(speech)),
        ("list of 1,000, compiled before", lambda: recognizer.transcribe(speech, listed)),
        ("list of 1,000 strings, read anew", lambda: recognizer.transcribe(speech, words)),
    ):
        print(f"10 s of audio, {name}: {100 * median_seconds(call, arguments.repeat) / 10:.2f} % of real time")
    command = [sys.executable, "-c", FRESH.format(path=str(DEMO / "cities.flac"))]
    first = median_seconds(lambda: subprocess.run(command, check=True, capture_output=True), 3)
    print(f"fresh process to its first result: {first:.1f} s")
    if arguments.posteriors:
        waves = [read_audio(path) for path in arguments.audio]
        matrices = {f"item{i}": m for i, m in enumerate(recognizer.log_probs(waves))}
        labels = np.array(recognizer.decoder.labels)
        seconds = np.array(recognizer.model.seconds_per_frame)
        np.savez(arguments.posteriors, labels=labels, blank=np.array(0), seconds_per_frame=seconds, **matrices)


if __name__ == "__main__":
    main()
