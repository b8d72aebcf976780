"""How many spoken entities a shortlist by sounds keeps, and what choosing costs beside the encoder. Tune on dev only.

    OMP_NUM_THREADS=1 python recipes/starter/shortlist_recall.py ../shared/speech/dev/manifest.jsonl \\
        --distractors ../shared/speech/distractors.txt --names ../shared/text/names-*.txt.gz

The list of N for an utterance is its own entities and the first N distractors; beyond those of the file, names of
--names in an order drawn once (none that is spoken here). An entity is kept if it is chosen, or another one that is
written the same. One index is made for the distractors and the entities of a few utterances; those of the others
are taken out of what it chooses. Costs are processor time, with the distractors alone, in one run with the encoder's.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from asrbias.audio import read_audio
from asrbias.entities import EntityList
from asrbias.loading import load
from asrbias.pronunciations import PronouncedList
from asrbias.shortlist import ShortlistIndex
from asrbias.text import normalise
from asrbias.wordgraphs import PhoneGraphs

TOGETHER = 60  # utterances that share an index
Phones = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """The phone posteriors of a manifest."""

    phones: Sequence[Phones]  # [T, P] each
    seconds: float  # of audio
    encoder: float | None  # seconds of processor time; None: not measured, the posteriors were kept


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came out for lists of one size."""

    recall: Sequence[float]  # percent, for each length of shortlist
    choosing: float  # seconds of processor time, for the longest
    building: float  # seconds of processor time
    pronouncing: float  # the same, before
    megabytes: float


def main() -> None:
    arguments = parse()
    lines = [json.loads(line) for line in arguments.manifest.read_text(encoding="utf-8").splitlines()]
    own = [[str(entity) for entity in line["entities"]] for line in lines]
    heard = listen(arguments, lines)
    graphs, console = PhoneGraphs(), Console()
    table = Table("N", *(f"recall in {most}" for most in arguments.most), "choosing", "index")
    for count in arguments.sizes:
        distractors = read_lists(arguments.distractors, arguments.names, count, own)
        row = measure(distractors, own, heard, arguments.most, graphs)
        cost = f"{1e4 * row.choosing / heard.seconds:.2f} ms"
        if heard.encoder:
            cost += f" ({100 * row.choosing / heard.encoder:.1f} %)"
        index = f"{row.building:.2f} s after {row.pronouncing:.1f} s, {row.megabytes:.1f} MB"
        table.add_row(str(count), *(f"{value:.1f}" for value in row.recall), cost, index)
    console.print(table)
    encoder = f"the encoder takes {1e4 * heard.encoder / heard.seconds:.1f} ms" if heard.encoder else "no encoder"
    console.print(
        f"{sum(map(len, own))} entities, {heard.seconds:.0f} s. Choosing {max(arguments.most)}: for 10 s of audio, "
        f"{encoder}. Index: built after the list was pronounced."
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="JSON lines with `audio` and `entities`")
    parser.add_argument("--distractors", type=Path, required=True, help="a phrase a line")
    parser.add_argument("--names", type=Path, nargs="*", default=[], help="more of them, .txt.gz")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--most", type=int, nargs="+", default=[50, 100, 200], help="lengths of the shortlist")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--posteriors", type=Path, help=".npz file, made if it is not there; then no encoder's time")
    return parser.parse_args()


def listen(arguments: argparse.Namespace, lines: Sequence[dict[str, object]]) -> Heard:
    kept = arguments.posteriors
    if kept and kept.is_file():
        with np.load(kept) as arrays:
            phones = [arrays[f"phones_{n}"] for n in range(len(lines))]
        return Heard(phones=phones, seconds=sum(map(len, phones)) * 0.04, encoder=None)
    recognizer = load(arguments.model, lm=None)
    waves = [read_audio(arguments.manifest.parent / str(line["audio"])) for line in lines]
    begin = time.process_time()
    phones = [one.phones for one in recognizer.posteriors(waves)]
    spent = time.process_time() - begin
    if kept:
        arrays = {f"phones_{n}": x for n, x in enumerate(phones)}
        np.savez(kept, allow_pickle=False, **arrays)
    return Heard(phones=phones, seconds=sum(map(len, waves)) / recognizer.sample_rate, encoder=spent)


def read_lists(path: Path, names: Iterable[Path], count: int, own: Iterable[Iterable[str]]) -> list[str]:
    """The first `count` distractors; those after the file's are names in random order that nobody says here."""
    found = path.read_text(encoding="utf-8").splitlines()
    if len(found) < count:
        more = [name for file in names for name in gzip.decompress(file.read_bytes()).decode("utf-8").splitlines()]
        spoken = {normalise(phrase) for phrase in found} | {normalise(entity) for some in own for entity in some}
        more = sorted({name for name in more if normalise(name) not in spoken})
        random.Random(0).shuffle(more)
        found += more
    if len(found) < count:
        raise SystemExit(f"There are {len(found)} distractors, {count} are needed; give more --names or less --sizes.")
    return found[:count]


def measure(
    distractors: Sequence[str], own: Sequence[Sequence[str]], heard: Heard, lengths: Sequence[int], graphs: PhoneGraphs
) -> Row:
    begin = time.process_time()
    alone = EntityList(distractors)
    pronounced = PronouncedList.of(alone, alone.forms(), graphs)
    said = time.process_time()
    index = ShortlistIndex.of(pronounced)
    built = time.process_time()
    for phones in heard.phones:
        index.choose(phones, most=max(lengths))
    chosen = time.process_time()
    ranks = own_ranks(distractors, own, heard, max(lengths), graphs)
    recall = [100 * float(np.mean([rank < most for rank in ranks])) for most in lengths]
    return Row(
        recall=recall,
        choosing=chosen - built,
        building=built - said,
        pronouncing=said - begin,
        megabytes=index.nbytes / 1e6,
    )


def own_ranks(
    distractors: Sequence[str], own: Sequence[Sequence[str]], heard: Heard, most: int, graphs: PhoneGraphs
) -> list[int]:
    """For each spoken entity its place among its utterance's own and the distractors, counted from 0."""
    ranks = []
    for first in range(0, len(own), TOGETHER):
        some = own[first : first + TOGETHER]
        spoken = dict.fromkeys(entity for mine in some for entity in mine)
        listed = EntityList([*distractors, *spoken])
        index = ShortlistIndex.of(PronouncedList.of(listed, listed.forms(), graphs))
        others = {normalise(entity) for entity in spoken} - {normalise(phrase) for phrase in distractors}
        texts = [normalise(entity.phrase) for entity in listed]
        for mine, phones in zip(some, heard.phones[first : first + TOGETHER], strict=True):
            wanted = {normalise(entity) for entity in mine}
            chosen = [texts[n] for n in index.choose(phones, most=most + len(others - wanted))]
            kept = [text for text in chosen if text in wanted or text not in others]
            ranks += [kept.index(text) if text in kept else len(listed) for text in map(normalise, mine)]
    return ranks


if __name__ == "__main__":
    main()
