"""Stage 2 of the starter: a SentencePiece vocabulary from the sentences and names of the text folder.

    python recipes/starter/vocabulary.py --text ../shared/text --manifest ../shared/speech/train/manifest.jsonl \\
        --size 256 --output runs/tokens

Names are put in beside sentences, so that pieces fit names too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from pathlib import Path

from asrbias.text import normalise
from asrbias.tokens import Vocabulary, train_sentencepiece


def read_texts(folder: Path, manifest: Path, names: int, sentences: int, seed: int) -> list[str]:
    """Matching-form lines: the manifest's, at most `sentences` of each file of the folder, and `names` random names.

    The share of a file is bounded because the presidents' addresses would otherwise make pieces such as "congress".
    """
    draw = random.Random(seed)
    texts = [json.loads(line)["text"] for line in manifest.read_text(encoding="utf-8").splitlines()]
    listed: list[str] = []
    for path in sorted(folder.glob("*.txt.gz")):
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        if path.name.startswith("names"):
            listed += lines
        else:
            texts += draw.sample(lines, min(sentences, len(lines)))
    texts += draw.sample(listed, min(names, len(listed)))
    return [text for text in map(normalise, texts) if text]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="folder of *.txt.gz, a sentence or a name a line")
    parser.add_argument("--manifest", type=Path, required=True, help="training manifest with `text`")
    parser.add_argument("--size", type=int, default=256, help="labels, blank included (default: %(default)s)")
    parser.add_argument("--names", type=int, default=20_000, help="names put in (default: %(default)s)")
    parser.add_argument("--sentences", type=int, default=4_000, help="at most so many of a file (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    arguments = parser.parse_args()
    texts = read_texts(arguments.text, arguments.manifest, arguments.names, arguments.sentences, arguments.seed)
    vocabulary = Vocabulary.from_sentencepiece(train_sentencepiece(texts, arguments.size))
    vocabulary.save(arguments.output)
    count = sum(len(vocabulary.encode(text)) for text in texts[:5000])
    print(f"{len(vocabulary)} labels; {sum(map(len, texts[:5000])) / count:.2f} characters a label; {arguments.output}")


if __name__ == "__main__":
    main()
