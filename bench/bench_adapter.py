"""What the contextual adapter costs beside the encoder: python bench/bench_adapter.py [--entities FILE] [AUDIO...]

Processor time of one thread, the least of several runs, each after one of the encoder as in use, summed over the
recordings (default: the demo's) and brought to 10 s of audio. Lists are made-up words, or the first N lines of
--entities. A list is read before; that an utterance's shortlist is embedded for the first time is not in the figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from bench_decoder import best_time, make_words

import asrbias
from asrbias.audio import read_audio

DEMO = Path(__file__).resolve().parents[1] / "recipes" / "starter" / "demo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--entities", type=Path, metavar="FILE", help="phrases, one a line")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("audio", nargs="*", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = asrbias.load()
    adapting = recognizer.adapting
    assert adapting is not None
    waves = [read_audio(path) for path in arguments.audio or sorted(DEMO.glob("*.flac"))]
    tens = sum(map(len, waves)) / recognizer.sample_rate / 10
    if arguments.entities:
        words = arguments.entities.read_text(encoding="utf-8").splitlines()
    else:
        words = make_words(np.random.default_rng(0), max(arguments.sizes))
    costs: dict[int, float] = {}
    for size in arguments.sizes:
        listed = asrbias.EntityList(words[:size])
        encoder = total = 0.0
        for wave in waves:
            heard = recognizer.posteriors([wave])[0]
            assert heard.phones is not None
            call = (heard.hidden, heard.phones, listed)
            adapting(*call)
            times = [
                (best_time(lambda: recognizer.posteriors([wave]), 1), best_time(lambda: adapting(*call), 1))  # noqa: B023
                for _ in range(arguments.repeat)
            ]
            encoder += min(one for one, _ in times)
            total += min(one for _, one in times)
        costs[size] = total / encoder
        print(f"{len(listed):7d} entities: {1e3 * total / tens:5.1f} ms for 10 s of audio, the encoder "
              f"{1e3 * encoder / tens:5.1f} ms: {100 * costs[size]:.1f} %")  # fmt: skip
    least, most = min(costs), max(costs)
    print(f"{most} against {least}: {costs[most] / costs[least]:.2f} times the adapter's time, "
          f"{(1 + costs[most]) / (1 + costs[least]):.2f} times encoder and adapter")  # fmt: skip


if __name__ == "__main__":
    main()
