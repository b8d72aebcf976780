"""The table of asrbias/rivals.py, `frequent.tsv.gz`: the most frequent words of a language model and how they are said.

    python recipes/lexicon/frequent.py asrbias/models/starter/lm.npz lexicons

A line is a word, -log of its share by the model's unigrams (nats), and its pronunciations, " | " between them.
Single letters are left out, and words that nobody can say.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

from asrbias.files import write_whole
from asrbias.lm import LanguageModel
from asrbias.phones import pronounce
from asrbias.rivals import TABLE

MOST = 4  # pronunciations of a word


def frequent(model: LanguageModel, count: int) -> list[tuple[str, float]]:
    """The `count` words with the highest unigram probability, and its -log; of equal ones the first in the alphabet."""
    words = [word for word in model.words if len(word) > 1 and not word.startswith("<")]
    costs = [(-model.word_scores(word)[0], word) for word in words]
    return [(word, cost) for cost, word in sorted(costs)[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="language model: ARPA, KenLM's or .npz")
    parser.add_argument("output", type=Path, help="folder")
    parser.add_argument("--count", type=int, default=10_000)
    args = parser.parse_args()
    words = frequent(LanguageModel.read(args.model), args.count)
    said = pronounce([word for word, _ in words], missing="empty")
    lines = [
        f"{word}\t{cost:.2f}\t{' | '.join(' '.join(phones) for phones in choices[:MOST])}\n"
        for (word, cost), choices in zip(words, said, strict=True)
        if choices
    ]
    write_whole(args.output / TABLE, gzip.compress("".join(lines).encode("ascii"), 9, mtime=0))
    print(f"{args.output / TABLE}: {len(lines)} words, {len(words) - len(lines)} without a pronunciation left out")


if __name__ == "__main__":
    main()
