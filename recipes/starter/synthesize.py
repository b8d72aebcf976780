"""Synthetic speech for the first training: sentences with names, said by flite and espeak-ng, in packed shards.

    python recipes/starter/synthesize.py OUT --text SHARED/text --exclude SHARED/speech/{dev,test}/manifest.jsonl \\
        --voices flite-slt --hours 6 --jobs 2

Shards are those of asrbias/training/shards.py, 16 kHz mono; `entities` are the names put in.
What a shard holds is decided by --seed and its name alone, so a run goes on where it stopped, on any number of
processes. Training mixes noise in; here the speech stays clean, only its level is random.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from festival import Festival
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sentences import SOURCES, Exclusion, Sentence, SentenceMaker, fold
from simple import SimpleSentences, halting
from tract import Tract
from voices import RATE, Espeak, Flite, Samples, Voice

from asrbias.training.shards import write_shard

Samples16 = npt.NDArray[np.int16]

_STEADY = {"stretch": (0.9, 1.15), "f0_shift": (1.0, 1.0)}
_SLOW = {"stretch": (0.9, 1.6)}  # real speakers, learners above all, are slower than flite
# The mixes, each a list of voices with its share. One clear voice comes first: on it CTC learns to leave all blanks.
VOICES: dict[str, list[tuple[Voice, float]]] = {
    "flite-slt": [(Flite(name="slt", **_STEADY), 1)],
    "flite": [(Flite(name="slt"), 1), (Flite(name="rms"), 1), (Flite(name="awb"), 1)],
    "espeak": [(Espeak(), 1)],
    "mixed": [(Flite(name="slt", **_SLOW), 15), (Flite(name="rms", **_SLOW), 15), (Flite(name="awb", **_SLOW), 15),
              (Flite(name="kal16", **_SLOW), 5), (Espeak(), 50)],
    # As many speakers as these voices can be made to be, women, men and children.
    "wide": [(Tract(voice=Flite(name="slt", **_SLOW), factor=(0.92, 1.25)), 16),
             (Tract(voice=Flite(name="rms", **_SLOW)), 16), (Tract(voice=Flite(name="awb", **_SLOW)), 16),
             (Tract(voice=Flite(name="kal16", **_SLOW)), 4), (Tract(voice=Festival(name="ked")), 8),
             (Tract(voice=Festival(name="slt"), factor=(0.85, 1.25)), 6),
             (Tract(voice=Espeak(rate=(80, 160), pitch=(15, 85), range=(10, 95)), factor=(0.88, 1.2)), 34)],
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SynthesisOptions:
    voices: str  # a key of VOICES; shards are named after it
    text: Path  # folder of sentences and names
    exclude: tuple[Path, ...] = ()  # manifests whose entities no sentence may hold
    sources: tuple[tuple[str, float], ...] = tuple(SOURCES.items())  # where written sentences come from, with shares
    simple: Path | None = None  # manifest of training speech whose simple sentences are read too
    simple_share: float = 0.15  # of all utterances, with `simple`
    simple_slower: tuple[float, float] = (1.0, 1.35)  # factor on the durations of simple sentences
    shard_seconds: float = 3600  # seconds of audio a shard
    shortest: float = 1.0  # seconds of an utterance
    longest: float = 16.0  # seconds
    letters_a_second: tuple[float, float] = (4.0, 24.0)  # beyond these a voice has skipped or stuttered
    silence: float = 0.15  # seconds left at both ends
    loudest: tuple[float, float] = (-18.0, -1.0)  # dB below full scale of the peak, drawn per utterance
    seed: int = 1


@dataclass(frozen=True)
class Utterance:
    text: str
    entities: tuple[str, ...]
    speaker: str
    samples: Samples16  # [T]


def spoken(text: str) -> str:
    """What a voice is given to say: ASCII letters, apostrophes inside words and the marks that shape a phrase."""
    text = re.sub(r"[^A-Za-z',.;:!?]+", " ", fold(text))
    text = re.sub(r"(?<![A-Za-z])'|'(?![A-Za-z])", " ", text)
    return re.sub(r"\s+", " ", text).strip()


def trim(samples: Samples, silence: float) -> Samples:
    """Cut silence at the ends to `silence` seconds. Silence is 50 dB below the loudest 10 ms."""
    frame = RATE // 100
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    level = (frames.astype(np.float64) ** 2).mean(axis=1)
    if level.size == 0 or level.max() == 0:
        return samples[:0]
    loud = np.flatnonzero(level > level.max() * 1e-5)
    keep = round(silence * RATE)
    return samples[max(0, loud[0] * frame - keep) : (loud[-1] + 1) * frame + keep]


def utterances(options: SynthesisOptions, name: str) -> Iterator[Utterance]:
    """An endless stream of utterances, the same for the same seed and shard name."""
    generator = random.Random(f"{options.seed}/{name}")
    while True:
        sentence, said, speaker, samples = _read(options, generator)
        samples = trim(samples, options.silence)
        level = 10 ** (generator.uniform(*options.loudest) / 20)
        seconds = len(samples) / RATE
        if not options.shortest <= seconds <= options.longest:
            continue
        if not options.letters_a_second[0] <= len(said) / seconds <= options.letters_a_second[1]:
            continue
        pcm = np.round(samples * (level * 32767 / np.abs(samples).max())).astype(np.int16)
        yield Utterance(sentence.text, sentence.entities, speaker, pcm)


def _read(options: SynthesisOptions, generator: random.Random) -> tuple[Sentence, str, str, Samples]:
    """A sentence, what the voice was given to say, the speaker, and what was said."""
    maker, simple = _makers(options.text, options.exclude, options.sources, options.simple)
    voices, shares = zip(*VOICES[options.voices], strict=True)
    if simple and generator.random() < options.simple_share:
        sentence = simple.draw(generator)
        said = halting(spoken(sentence.text), generator)
        voice = generator.choices(voices, shares)[0].slower(generator.uniform(*options.simple_slower))
    else:
        sentence = maker.draw(generator)
        said = spoken(sentence.text)
        voice = generator.choices(voices, shares)[0]
    return sentence, said, *voice.say(said, generator)


@cache
def _makers(
    text: Path, exclude: tuple[Path, ...], sources: tuple[tuple[str, float], ...], simple: Path | None
) -> tuple[SentenceMaker, SimpleSentences | None]:
    exclusion = Exclusion.read(manifests=exclude)
    maker = SentenceMaker(text, exclusion, dict(sources))
    return maker, SimpleSentences(simple, exclusion, exclude) if simple else None


def rows(stream: Iterable[Utterance], name: str, seconds: float) -> Iterator[tuple[dict[str, Any], Samples16]]:
    """Utterances as the fields and samples of a shard, until `seconds` are full."""
    written = 0
    for count, item in enumerate(stream):
        fields = {"id": f"{name}-{count:05d}", "text": item.text, "entities": item.entities, "speaker": item.speaker,
                  "corpus": "synthetic"}  # fmt: skip
        yield fields, item.samples
        written += len(item.samples)
        if written >= seconds * RATE:
            return


def whole(folder: Path, name: str) -> bool:
    """Whether the shard is there, and its last line ends where its samples end."""
    pcm, lines = folder / f"{name}.pcm", folder / f"{name}.jsonl"
    if not (pcm.is_file() and lines.is_file()):
        return False
    last = json.loads(lines.read_text("utf-8").splitlines()[-1])
    return bool(pcm.stat().st_size == 2 * (last["offset"] + last["samples"]))


def make_shard(name: str, folder: Path, options: SynthesisOptions) -> float:
    """Make one shard; returns its seconds."""
    return write_shard(folder / name, rows(utterances(options, name), name, options.shard_seconds)) / RATE


def synthesize(folder: Path, options: SynthesisOptions, shards: int, jobs: int = 1) -> None:
    """Make `shards` shards, those that are missing, with a progress bar."""
    folder.mkdir(parents=True, exist_ok=True)
    _makers(
        options.text, options.exclude, options.sources, options.simple
    )  # a wrong path is one clear sentence here, not a traceback a process
    names = [f"{options.voices}-{index:03d}" for index in range(shards)]
    missing = [name for name in names if not whole(folder, name)]
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total} shards"),
               TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
    # A fresh process a shard: espeak-ng's state outlives a sentence, and what a shard holds must not depend on others.
    processes = multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=1)
    with Progress(*columns) as bar, processes as pool:
        task = bar.add_task(options.voices, total=shards, completed=shards - len(missing))
        for _ in pool.imap_unordered(partial(make_shard, folder=folder, options=options), missing):
            bar.advance(task)


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        if name in SOURCES and float(share) > 0:
            return name, float(share)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no source with its share: write {next(iter(SOURCES))}=0.5, say")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the shards")
    parser.add_argument("--text", type=Path, required=True, help="folder of *-sentences.txt.gz and names-*.txt.gz")
    parser.add_argument("--exclude", type=Path, nargs="*", default=[], help="manifests whose entities are kept out")
    parser.add_argument("--sources", type=_share, nargs="*", default=list(SOURCES.items()), metavar="NAME=SHARE",
                        help="of written sentences; NAME is one of: " + ", ".join(SOURCES))  # fmt: skip
    parser.add_argument("--simple", type=Path, help="manifest of training speech; its simple sentences are read too")
    parser.add_argument("--voices", choices=sorted(VOICES), required=True)
    parser.add_argument("--hours", type=int, required=True, help="of audio, an hour a shard")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    options = SynthesisOptions(voices=args.voices, text=args.text, exclude=tuple(args.exclude), seed=args.seed,
                               sources=tuple(args.sources), simple=args.simple)  # fmt: skip
    synthesize(args.out, options, args.hours, args.jobs)


if __name__ == "__main__":
    main()
