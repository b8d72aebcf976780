"""The starter's language model: python recipes/starter/lm.py SHARED [--output asrbias/models/starter/lm.npz]

A mixture (asrbias/mixture.py) of a model of all text with one of Common Voice's sentences and one of speechocean762's,
whose weights are tuned on the transcripts of `speech/dev`. Sentences of dev and test are taken out of the text, whole
sentences in the matching form. What was tried, and the figures: docs/lm.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

from asrbias.mixture import estimate_mixture
from asrbias.perplexity import perplexity
from asrbias.text import normalise

STARTER = Path(__file__).resolve().parents[2] / "asrbias" / "models" / "starter"
TEXTS = ("commonvoice", "ljspeech", "slurp", "us-presidents")  # SHARED/text/NAME-sentences.txt.gz
SOURCES = {"Common Voice": ("commonvoice", "train commonvoice-en"), "speechocean762": ("train speechocean762",)}


def manifest_texts(path: Path) -> dict[str, list[str]]:
    """The transcripts of a manifest in the matching form, by corpus."""
    texts: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        texts.setdefault(row["corpus"], []).append(normalise(row["text"]))
    return texts


def flat(texts: dict[str, list[str]]) -> list[str]:
    """All sentences of all corpora."""
    return [line for lines in texts.values() for line in lines]


def training_text(shared: Path) -> dict[str, list[str]]:
    """All sentences by where they are from, without those of dev and test; says how many these were."""
    train = manifest_texts(shared / "speech/train/manifest.jsonl")
    texts = {f"train {corpus}": lines for corpus, lines in train.items()}
    for name in TEXTS:
        with gzip.open(shared / f"text/{name}-sentences.txt.gz", "rt", encoding="utf-8") as file:
            texts[name] = [normalise(line) for line in file]
    held_out = {
        line for split in ("dev", "test") for line in flat(manifest_texts(shared / f"speech/{split}/manifest.jsonl"))
    }
    for name, lines in texts.items():
        texts[name] = [line for line in lines if line and line not in held_out]
        words = sum(len(line.split()) for line in texts[name])
        taken = sum(line in held_out for line in lines)
        print(f"{name}: {len(texts[name])} sentences, {words} words; {taken} of dev or test taken out")
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, metavar="SHARED", help="folder with speech/ and text/")
    parser.add_argument("--output", type=Path, default=STARTER / "lm.npz")
    parser.add_argument("--order", type=int, default=3)
    parser.add_argument("--prune", type=int, nargs="+", default=[0, 0, 1])
    given = parser.parse_args()
    texts = training_text(given.shared)
    dev = manifest_texts(given.shared / "speech/dev/manifest.jsonl")
    sources = {name: [line for part in parts for line in texts.pop(part)] for name, parts in SOURCES.items()}
    sources["the rest"] = flat(texts)
    model, weights = estimate_mixture(sources, flat(dev), given.order, prune=given.prune)
    model.write(given.output)
    print(f"weights: {', '.join(f'{name} {weight:.3f}' for name, weight in weights.items())}")
    print(f"{given.output}: {model.counts} n-grams, {given.output.stat().st_size / 1e6:.2f} MB")
    scorer = model.language_model()
    for corpus, sentences in {**dev, "all of dev": flat(dev)}.items():
        print(f"{corpus}: {perplexity(scorer, sentences)}")


if __name__ == "__main__":
    main()
