"""Sentences to learn to spell from: python recipes/starter/spelling_text.py SHARED -o text.txt.gz [--count 400000]

Written sentences, walks over them (walk.py), and sentences with names put in (sentences.py); what dev and test say,
their entities and the demo's names are kept out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

from sentences import Exclusion, SentenceMaker
from simple import SimpleSentences
from walk import Walk

from asrbias.files import write_whole
from asrbias.text import normalise

SOURCES = ("commonvoice", "slurp", "ljspeech", "us-presidents")
CHILDREN = ("african-storybook", "robotutor")  # corpora of simple language
LONGEST = 18  # words


class SpellingText:
    """Draws sentences in the matching form; equal seeds give equal sentences.

    `names`: share of sentences with names put in; None leaves the shares as they are below.
    """

    def __init__(self, shared: Path, seed: int, names: float | None = None) -> None:
        self.random = random.Random(seed)
        held_out = [shared / f"speech/{split}/manifest.jsonl" for split in ("dev", "test")]
        manifest = shared / "speech/train/manifest.jsonl"
        self.maker = SentenceMaker(shared / "text", Exclusion.read(manifests=held_out))
        self.held_out = {text for path in held_out for texts in _by_corpus(path).values() for text in texts}
        trained = _by_corpus(manifest)
        written = {name: self._allowed(_lines(shared / f"text/{name}-sentences.txt.gz")) for name in SOURCES}
        written["commonvoice"] += self._allowed(sorted(trained["commonvoice-en"]))
        simple = SimpleSentences(manifest, self.maker.exclusion, tuple(held_out))
        children = self._allowed(sorted(text for name in CHILDREN for text in trained[name]))
        plain = [normalise(text) for text in simple.texts]
        voices, slurp, book, speeches = (written[name] for name in SOURCES)
        walk = Walk([(voices, 6), (slurp, 2), (plain, 6), (book, 2), (speeches, 1), (children, 2)], seed)
        simpler = Walk([(plain, 8), (slurp, 2), (voices, 1), (children, 2)], seed + 1)
        words = [word for text in (*voices, *slurp, *book) for word in text.split()]
        draw = self.random
        self.kinds: list[tuple[float, Callable[[], str]]] = [
            (0.16, lambda: draw.choice(voices)),
            (0.06, lambda: simple.draw(draw).text),
            (0.24, walk.draw),
            (0.14, simpler.draw),
            (0.06, lambda: draw.choice(slurp)),
            (0.06, lambda: self._piece(draw.choice(book))),
            (0.06, lambda: self._piece(draw.choice(speeches))),
            (0.08, lambda: self.maker.named(draw).text),
            (0.11, lambda: self.maker.renamed(draw).text),
            (0.03, lambda: " ".join(draw.choices(words, k=draw.randint(2, 8)))),
        ]
        if names is not None:
            named = {7: 0.4 * names, 8: 0.6 * names}
            left = sum(share for place, (share, _) in enumerate(self.kinds) if place not in named)
            self.kinds = [
                (named.get(place, share * (1 - names) / left), kind) for place, (share, kind) in enumerate(self.kinds)
            ]

    def draw(self) -> str:
        """One sentence of at most 18 words."""
        shares = [share for share, _ in self.kinds]
        while True:
            kind = self.random.choices(self.kinds, shares)[0][1]
            found = self._allowed([kind()])
            if found and len(found[0].split()) <= LONGEST:
                return found[0]

    def _allowed(self, texts: list[str]) -> list[str]:
        forms = [normalise(text) for text in texts]
        return [
            form for form in forms if form and form not in self.held_out and not self.maker.exclusion.found_in(form)
        ]

    def _piece(self, text: str) -> str:
        """3 to 12 neighbouring words."""
        words = text.split()
        size = self.random.randint(3, 12)
        begin = self.random.randrange(max(1, len(words) - size + 1))
        return " ".join(words[begin : begin + size])


def _lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(file)


def _by_corpus(manifest: Path) -> dict[str, set[str]]:
    texts: dict[str, set[str]] = {}
    for line in manifest.read_text("utf-8").splitlines():
        row = json.loads(line)
        texts.setdefault(row["corpus"], set()).add(normalise(row["text"]))
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, metavar="SHARED", help="folder with speech/ and text/")
    parser.add_argument("--count", type=int, default=400_000)
    parser.add_argument("--names", type=float, help="share of sentences with names put in (default: 0.19)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    text = SpellingText(args.shared, args.seed, args.names)
    lines = "".join(text.draw() + "\n" for _ in range(args.count))
    write_whole(args.output, gzip.compress(lines.encode(), mtime=0))


if __name__ == "__main__":
    main()
