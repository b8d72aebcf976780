"""The tables of asrbias/g2g.py, `graphemes.tsv.gz` and `letters.tsv.gz`, learned from the pronunciation lexicon.

    python recipes/lexicon/graphemes.py lexicons

Which letters write which phones is found by expectation maximisation (a joint multigram model: Bisani & Ney 2008;
Jiampojamarn et al. 2007 align many to many): a word is a sequence of chunks, each of one letter and no phone, one and
one, one letter and two phones, or two letters and one phone, all independent. Words of the same lengths are one batch.
The first table holds each chunk's expected number of occurrences in the lexicon, the second the numbers of its letter
trigrams ("^^" before a word, "$$" after it). It takes 15 s.
"""

from __future__ import annotations

import argparse
import gzip
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asrbias.files import write_whole
from asrbias.lexicon import cmudict
from asrbias.phones import PHONES

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHAPES = ((1, 0), (1, 1), (1, 2), (2, 1))  # letters, phones of a chunk
Array = npt.NDArray[np.float64]
Keys = dict[tuple[int, int, int], npt.NDArray[np.int64]]  # see `chunks`
Batch = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]  # letters [B, L], phones [B, P]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="folder")
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--least", type=float, default=8.0, help="expected occurrences below which a chunk is left out")
    arguments = parser.parse_args()
    batches = read_batches()
    words = sum(len(letters) for letters, _ in batches)
    tables = [np.ones(len(LETTERS) ** g * len(PHONES) ** p) for g, p in SHAPES]
    for iteration in range(arguments.iterations):
        total = sum(table.sum() for table in tables)
        tables, log_prob, aligned = expect(batches, [table / total for table in tables])
        print(f"{iteration}: {log_prob / aligned:.3f} nats a word, {aligned} of {words} words", flush=True)
    rows = sorted(rows_of(tables, arguments.least))
    write(
        arguments.output / "graphemes.tsv.gz", [f"{letters}\t{phones}\t{count:.0f}" for letters, phones, count in rows]
    )
    write(arguments.output / "letters.tsv.gz", [f"{letters}\t{count}" for letters, count in sorted(trigrams().items())])


def write(path: Path, lines: list[str]) -> None:
    """A line a row, gzip'd; the same lines give the same bytes with the same zlib."""
    write_whole(path, gzip.compress("".join(line + "\n" for line in lines).encode(), 9, mtime=0))
    print(f"{path}: {len(lines)} rows, {path.stat().st_size} bytes")


def trigrams() -> Counter[str]:
    """Letter trigrams of the lexicon's words and how often they occur, from twice on."""
    counts: Counter[str] = Counter()
    for word in cmudict():
        if word.isascii() and word.isalpha():
            padded = f"^^{word}$$"
            counts.update(padded[i : i + 3] for i in range(len(padded) - 2))
    return Counter({letters: count for letters, count in counts.items() if count > 1})


def read_batches() -> list[Batch]:
    """The lexicon's words of letters alone, each with all its pronunciations, by their lengths."""
    number = {phone: i for i, phone in enumerate(PHONES)}
    groups: dict[tuple[int, int], list[tuple[list[int], list[int]]]] = defaultdict(list)
    lexicon = cmudict()
    for word in lexicon:
        if word.isascii() and word.isalpha():
            for phones in lexicon[word]:
                if len(phones) <= 2 * len(word):
                    pair = ([LETTERS.index(c) for c in word], [number[p] for p in phones])
                    groups[len(word), len(phones)].append(pair)
    return [(np.array([g for g, _ in group]), np.array([p for _, p in group])) for group in groups.values()]


def expect(batches: list[Batch], tables: list[Array]) -> tuple[list[Array], float, int]:
    """Expected occurrences of each chunk, log probability of the words that have one, how many these are."""
    counts = [np.zeros_like(table) for table in tables]
    log_prob, aligned = 0.0, 0
    for letters, phones in batches:
        places = chunks(letters, phones)
        forward = run(places, tables, letters.shape[1], phones.shape[1], len(letters))
        backward = run_back(places, tables, letters.shape[1], phones.shape[1], len(letters))
        whole = forward[:, -1, -1]
        possible = whole > 0
        log_prob += float(np.log(whole[possible]).sum())
        aligned += int(possible.sum())
        scale = np.divide(1.0, whole, out=np.zeros_like(whole), where=possible)
        for (i, j, shape), keys in places.items():
            g, p = SHAPES[shape]
            share = forward[:, i, j] * tables[shape][keys] * backward[:, i + g, j + p] * scale
            counts[shape] += np.bincount(keys, share, len(tables[shape]))
    return counts, log_prob, aligned


def chunks(
    letters: npt.NDArray[np.int64], phones: npt.NDArray[np.int64]
) -> dict[tuple[int, int, int], npt.NDArray[np.int64]]:
    """(letters before, phones before, shape) -> the chunk there in each word, as an index into its table."""
    found = {}
    for i in range(letters.shape[1]):
        for j in range(phones.shape[1] + 1):
            for shape, (g, p) in enumerate(SHAPES):
                if i + g <= letters.shape[1] and j + p <= phones.shape[1]:
                    key = np.zeros(len(letters), np.int64)
                    for k in range(g):
                        key = key * len(LETTERS) + letters[:, i + k]
                    for k in range(p):
                        key = key * len(PHONES) + phones[:, j + k]
                    found[i, j, shape] = key
    return found


def run(places: Keys, tables: list[Array], g: int, p: int, size: int) -> Array:
    """[B, L + 1, P + 1] probability of the first letters and phones."""
    values = np.zeros((size, g + 1, p + 1))
    values[:, 0, 0] = 1.0
    for (i, j, shape), keys in places.items():  # in order of i, then j
        values[:, i + SHAPES[shape][0], j + SHAPES[shape][1]] += values[:, i, j] * tables[shape][keys]
    return values


def run_back(places: Keys, tables: list[Array], g: int, p: int, size: int) -> Array:
    """[B, L + 1, P + 1] probability of the letters and phones from there to the end."""
    values = np.zeros((size, g + 1, p + 1))
    values[:, g, p] = 1.0
    for (i, j, shape), keys in reversed(places.items()):
        values[:, i, j] += values[:, i + SHAPES[shape][0], j + SHAPES[shape][1]] * tables[shape][keys]
    return values


def rows_of(tables: list[Array], least: float) -> list[tuple[str, str, float]]:
    """The chunks that occur, written out."""
    rows = []
    for (g, p), table in zip(SHAPES, tables, strict=True):
        for key in np.flatnonzero(table >= least).tolist():
            rest, phones, letters = key, [], []
            for _ in range(p):
                rest, last = divmod(rest, len(PHONES))
                phones.append(PHONES[last])
            for _ in range(g):
                rest, last = divmod(rest, len(LETTERS))
                letters.append(LETTERS[last])
            rows.append(("".join(reversed(letters)), " ".join(reversed(phones)), float(table[key])))
    return rows


if __name__ == "__main__":
    main()
