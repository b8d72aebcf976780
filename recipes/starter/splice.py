r"""New sentences out of real speech: runs of words cut from a speaker's recordings and joined in another order.

    python recipes/starter/splice.py WORK/real/train-commonvoice-en.jsonl --model WORK/s11 --hours 4 --seed 1 \
        --output WORK/real/spliced-commonvoice-en

A few thousand sentences are soon known by heart; their words in new company are not (aligned data augmentation, Lam et
al. 2021, arXiv 2104.01393, here within a speaker). Words are found by forced alignment and cut where the sound between
them is weakest.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from asrbias.alignment import AlignmentError, align
from asrbias.model import Model, load_model
from asrbias.text import normalise
from asrbias.training.shards import ShardReader, read_shard, write_shard

RATE = 16_000  # Hz, of packed speech
FADE = 160  # samples that two pieces overlap
LOUDNESS = 0.05  # root mean square of every piece
FEWEST = 3  # recordings of a speaker

Wave = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spoken:
    """A recording with the places between its W words."""

    words: tuple[str, ...]
    cuts: tuple[int, ...]  # W + 1 samples
    wave: Wave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shard", type=Path, help="the .jsonl of packed speech")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--hours", type=float, required=True)
    parser.add_argument("--longest", type=int, default=4, help="words of a piece, at most (default: %(default)s)")
    parser.add_argument("--words", type=int, nargs=2, default=(4, 12), help="of a new sentence (default: 4 12)")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="shard to write, without ending")
    arguments = parser.parse_args()
    speakers = listen(load_model(arguments.model), arguments.shard)
    usable = {name: said for name, said in speakers.items() if len(said) >= FEWEST}
    print(f"{sum(map(len, usable.values()))} recordings of {len(usable)} speakers ({len(speakers)} in all)")
    rows = splice(usable, arguments, np.random.default_rng(arguments.seed))
    samples = write_shard(arguments.output, rows)
    print(f"{arguments.output}: {samples / RATE / 3600:.2f} h")


@torch.inference_mode()
def listen(model: Model, shard: Path) -> dict[str, list[Spoken]]:
    """Every speaker's recordings, aligned; what cannot be aligned is left out."""
    reader, speakers = ShardReader(), defaultdict(list)
    step = round(model.seconds_per_frame * RATE)
    for utterance in read_shard(shard):
        wave = reader.read(utterance).astype(np.float32) / 32768.0
        words = normalise(utterance.text).split()
        output = model(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
        tokens = [model.vocabulary.encode(word) for word in words]
        try:
            found = align(output.log_probs[0], [token for word in tokens for token in word])
        except AlignmentError:
            continue
        ends = np.cumsum([len(word) for word in tokens])
        cuts = [0]
        for end in ends[:-1]:
            cuts.append(weakest(wave, found.last[end - 1] * step, (found.first[end] + 1) * step))
        speakers[utterance.speaker].append(Spoken(tuple(words), (*cuts, len(wave)), wave))
    return speakers


def weakest(wave: Wave, start: int, end: int) -> int:
    """The sample between `start` and `end` about which 20 ms of sound are weakest."""
    energy = np.convolve(np.square(wave[start : end + 320]), np.ones(320, np.float32), "valid")
    return start + 160 + int(energy[: max(1, end - start)].argmin())


def splice(
    speakers: dict[str, list[Spoken]], arguments: argparse.Namespace, draw: np.random.Generator
) -> Iterator[tuple[dict[str, Any], npt.NDArray[np.int16]]]:
    """New utterances until there are enough; speakers by the square root of what they said."""
    names = sorted(speakers)
    share = np.sqrt([len(speakers[name]) for name in names])
    samples, number = 0, 0
    while samples < arguments.hours * 3600 * RATE:
        name = names[draw.choice(len(names), p=share / share.sum())]
        words, wave = sentence(
            speakers[name], int(draw.integers(*arguments.words, endpoint=True)), arguments.longest, draw
        )
        samples, number = samples + len(wave), number + 1
        fields = {"id": f"{arguments.output.name}-{number}", "text": " ".join(words), "speaker": name}
        yield fields | {"corpus": "spliced"}, np.clip(np.rint(wave * 32767.0), -32768, 32767).astype(np.int16)


def sentence(said: list[Spoken], count: int, longest: int, draw: np.random.Generator) -> tuple[list[str], Wave]:
    """About `count` words out of several recordings."""
    words: list[str] = []
    wave = np.zeros(0, np.float32)
    while len(words) < count:
        one = said[draw.integers(len(said))]
        first = int(draw.integers(len(one.words)))
        last = min(len(one.words), first + int(draw.integers(1, longest, endpoint=True)))
        piece = one.wave[one.cuts[first] : one.cuts[last]]
        if len(piece) <= 2 * FADE:
            continue
        piece = piece * (LOUDNESS / (np.sqrt(np.square(piece).mean()) + 1e-5))
        words += one.words[first:last]
        wave = joined(wave, piece)
    return words, np.clip(wave, -1.0, 1.0)


def joined(a: Wave, b: Wave) -> Wave:
    """Two pieces with a short cross-fade."""
    if not len(a):
        return b
    fade = np.linspace(0, 1, FADE, dtype=np.float32)
    return np.concatenate([a[:-FADE], a[-FADE:] * (1 - fade) + b[:FADE] * fade, b[FADE:]])


if __name__ == "__main__":
    main()
