"""How fast the decoder is: python bench/bench_decoder.py [--posteriors FILE.npz] [--names FILE.txt] [--beam 32]

Prints, for one thread: decoding time as a share of real time without a list and with lists of 10 to 100,000 phrases,
the ratio to the list of 10, and the time and memory that compiling takes.

Without --posteriors it makes its own, seeded: V = 256 subwords at 25 frames a second, blank in most frames, spikes of
one to two frames with confusions; "noisy" ones are as soft as those of a model with half of its words wrong.
A .npz holds `labels` [V], `blank`, `seconds_per_frame`, and matrices [T, V] of log-probabilities under any other name.
--names: a phrase a line, to draw the lists from; without it they are made up.
"""

from __future__ import annotations

import argparse
import gc
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asrbias.decoder import DecodeOptions, Decoder
from asrbias.entities import EntityList
from asrbias.phrases import Phrases

Matrices = list[npt.NDArray[np.float32]]
LETTERS = "etaoinshrdlcumwfgypbvkjxqz'"
SECONDS_PER_FRAME = 0.04


def make_words(random: np.random.Generator, count: int) -> list[str]:
    """Pronounceable made-up words, each once."""
    onsets = ["", *"b c ch d f g gr h j k kr l m n p pr r s sh st t th tr v w y z".split()]
    vowels, codas = "a e i o u ai ee oo ia".split(), ["", "", "n", "r", "s", "l", "nd", "m", "ck", "t"]
    words: dict[str, None] = {}
    while len(words) < count:
        syllables = random.integers(1, 5)
        words[
            "".join(random.choice(onsets) + random.choice(vowels) + random.choice(codas) for _ in range(syllables))
        ] = None
    return [word for word in words if len(word) > 1]


def make_labels(words: list[str], size: int = 256) -> list[str]:
    """A blank, all characters, then the most frequent strings of 2 to 4 characters, with and without "▁"."""
    counts: dict[str, int] = {}
    for word in words:
        text = "▁" + word
        for start in range(len(text)):
            for end in range(start + 2, min(len(text), start + 4) + 1):
                counts[text[start:end]] = counts.get(text[start:end], 0) + end - start
    pieces = ["<blank>", "▁", *LETTERS]
    return pieces + sorted(counts, key=lambda piece: (-counts[piece], piece))[: size - len(pieces)]


def segment(word: str, index: dict[str, int]) -> list[int]:
    """Greedy longest match."""
    text, tokens = "▁" + word, []
    while text:
        length = max(n for n in range(1, 5) if text[:n] in index)
        tokens.append(index[text[:length]])
        text = text[length:]
    return tokens


def make_posteriors(
    random: np.random.Generator, labels: list[str], words: list[str], frames: int, noise: float
) -> npt.NDArray[np.float32]:
    """[frames, V]; noise 0..1: how much of a spike goes to other tokens and to blank."""
    index = {label: i for i, label in enumerate(labels)}
    size = len(labels)
    probs = np.zeros((frames, size))
    probs[:, 0] = 1 - 10.0 ** random.uniform(-4, -1.5 + 2 * noise - 1, frames)
    at = 3
    while at < frames - 4:
        for token in segment(words[random.integers(len(words))], index):
            for step in range(1 + int(random.random() < 0.4)):
                if at + step >= frames:
                    break
                weight = random.dirichlet([4, 8 * noise, 4 * noise]) if noise else np.array([1.0, 0, 0])
                probs[at + step] = 0
                probs[at + step, token] += weight[0]
                others = random.integers(1, size, 8)
                probs[at + step, others] += weight[1] * random.dirichlet(np.full(8, 0.4))
                probs[at + step, 0] += weight[2]
            at += 1 + random.integers(1, 5)
    background = random.gamma(0.3, size=(frames, size))
    background /= background.sum(1, keepdims=True)
    share = 1 - probs.sum(1, keepdims=True) + 10.0 ** random.uniform(-5, -3 + 2 * noise, (frames, 1))
    probs = probs + share * background
    return np.log(probs / probs.sum(1, keepdims=True)).astype(np.float32)


def best_time(run: Callable[[], object], repeat: int) -> float:
    """CPU seconds of the fastest of `repeat` runs: other programs on the machine change the wall clock, not these."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def measure(decoder: Decoder, matrices: Matrices, seconds: float, lists: dict[int, Phrases], repeat: int) -> None:
    """One line for no list and for each list."""
    base = None
    for size, phrases in [(0, None), *lists.items()]:
        taken = best_time(lambda p=phrases: [decoder.decode(m, p) for m in matrices], repeat)  # type: ignore[misc]
        base = taken if size == 10 else base
        ratio = f"  {taken / base:5.2f} times a list of 10" if base else ""
        print(f"    {size:7,} phrases  {1e3 * taken:8.1f} ms  {100 * taken / seconds:6.3f} % of real time{ratio}")


def compile_lists(
    decoder: Decoder, names_from: Sequence[str], sizes: list[int], random: np.random.Generator
) -> dict[int, Phrases]:
    """Prints what compiling a list of each size costs."""
    lists = {}
    for size in sizes:
        names = [names_from[i] for i in random.permutation(len(names_from))[:size]]
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        lists[size] = decoder.compile(EntityList(names))
        taken = time.process_time() - start
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        automaton = lists[size].automaton
        native = f"{len(automaton):,} states, {automaton.bytes / 2**20:.1f} MiB" if automaton else "none"
        print(f"    {size:7,} phrases  {1e3 * taken:8.1f} ms  peak memory +{grown:.0f} MiB  (automaton: {native})")
    return lists


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posteriors", type=Path)
    parser.add_argument("--names", type=Path)
    parser.add_argument("--beam", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--largest", type=int, default=100_000, help="size of the longest list")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    words = make_words(random, 20_000)
    if options.names:
        names = options.names.read_text(encoding="utf-8").split("\n")[:-1]
    else:
        parts = np.array(words)
        names = [" ".join(random.choice(parts, random.integers(1, 3))).title() for _ in range(options.largest)]
    if options.posteriors:
        with np.load(options.posteriors) as saved:
            labels, blank = [str(label) for label in saved["labels"]], int(saved["blank"])
            step = float(saved["seconds_per_frame"])
            sets = {"saved": [saved[name] for name in saved if saved[name].ndim == 2]}
    else:
        labels, blank, step = make_labels(words[:2000]), 0, SECONDS_PER_FRAME
        sets = {
            name: [make_posteriors(random, labels, words[:2000], 250, noise) for _ in range(20)]
            for name, noise in (("clear", 0.1), ("noisy", 0.6))
        }
    decoder = Decoder(labels, blank=blank, options=DecodeOptions(beam=options.beam))
    print("compiling")
    lists = compile_lists(decoder, names, [n for n in (10, 1_000, 10_000, 100_000) if n <= len(names)], random)
    for name, matrices in sets.items():
        seconds = sum(len(m) for m in matrices) * step
        print(f"{name} posteriors, {seconds:.0f} s, beam {options.beam}, one thread")
        measure(decoder, matrices, seconds, lists, options.repeat)


if __name__ == "__main__":
    main()
