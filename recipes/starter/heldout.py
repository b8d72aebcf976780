"""Synthetic speech of voices, sentences and names that no training had: python recipes/starter/heldout.py SHARED OUT

Writes OUT/manifest.jsonl, its recordings, and OUT/distractors.txt (names of the same kinds that nobody says), for

    asrbias ablate OUT/manifest.jsonl --distractors OUT/distractors.txt --output OUT/ablation

Voices: variants of espeak-ng that voices.py does not train with (its accents are all in use). Sentences: those of
heldout_templates.txt. Names: of SHARED/text, no word of which is in the texts of SHARED (speech/train and text), nor in
those of the shards named by --trained, which training heard. Where the shards are gone, --excluded: the names are
words that sentences.py leaves out of every sentence it makes, for voices, spelling text and adapter alike
(held_out_names.txt and the one-word capitalised entities of speech/dev and speech/test), as far as no text of SHARED
has them; each is said twice.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from sentences import HELD_OUT, SOURCES, Exclusion, Sentence, SentenceMaker, fold, usable, words_of
from synthesize import spoken, trim
from voices import RATE, VARIANTS, Espeak, Samples

TEMPLATES = tuple(Path(__file__).with_name("heldout_templates.txt").read_text("utf-8").splitlines())
UNHEARD = (  # variants that sound like people and are not in VARIANTS
    "Denis", "Gene2", "Jacky", "caleb", "ed", "edward2", "gustave", "iven", "iven2", "iven3", "marcelo", "mike2",
    "norbert", "pedro", "sandro", "steph2", "steph3",
)  # fmt: skip
SHORTEST = 4  # letters of a name
KINDS = {"first": 0.3, "last": 0.4, "place": 0.3}  # of the distractors


@dataclass(frozen=True)
class Names:
    """Names of each kind that no training text has a word of, in a random order that a seed decides."""

    by_kind: dict[str, list[str]]

    @classmethod
    def unheard(cls, text: Path, heard: frozenset[str], seed: int) -> Names:
        known = SentenceMaker(text, Exclusion(()), {}).names
        kept = {}
        for kind, names in known.items():
            free = [n for n in names if len(n) >= SHORTEST and heard.isdisjoint(words_of(n))]
            random.Random(f"{seed}/{kind}").shuffle(free)
            kept[kind] = free
        return cls(kept)

    @classmethod
    def excluded(cls, shared: Path, heard: frozenset[str], seed: int) -> Names:
        """Words that no sentence was made with; one stock for all kinds, in two random orders."""
        phrases = [line for line in HELD_OUT.read_text("utf-8").splitlines() if not line.startswith("#")]
        for split in ("dev", "test"):
            for line in (shared / "speech" / split / "manifest.jsonl").read_text("utf-8").splitlines():
                phrases += json.loads(line)["entities"]
        named = {phrase for phrase in phrases if len(phrase) >= SHORTEST and phrase[0].isupper()}
        alone = [n for n in named if len(words_of(n)) == 1]
        free = sorted(n for n in alone if usable(f"{n} {n}") and heard.isdisjoint(words_of(n)))
        generator = random.Random(f"{seed}/excluded")
        stock = [name for _ in range(2) for name in generator.sample(free, len(free))]
        return cls(dict.fromkeys(("first", "last", "place"), stock))

    def take(self, kind: str) -> str:
        """The next one; each is used once."""
        if kind == "person":
            return f"{self.take('first')} {self.take('last')}"
        if not self.by_kind[kind]:
            raise SystemExit(f"There are no more names of the kind {kind!r} that training did not hear.")
        return self.by_kind[kind].pop()


def heard_words(shared: Path, trained: Iterable[Path]) -> frozenset[str]:
    """Every word of the training texts, synthetic and real, and of the language model's."""
    words: set[str] = set()
    for manifest in (shared / "speech" / "train" / "manifest.jsonl", *trained):
        for line in manifest.read_text("utf-8").splitlines():
            words.update(words_of(json.loads(line)["text"]))
    for name in SOURCES:
        with gzip.open(shared / "text" / f"{name}-sentences.txt.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                words.update(words_of(line))
    return frozenset(words)


def sentences(names: Names, count: int) -> Iterator[Sentence]:
    """The templates in turn, each time with other names."""
    for number in range(count):
        entities: list[str] = []

        def put(match: re.Match[str], entities: list[str] = entities) -> str:
            entities.append(names.take(match[1]))
            return entities[-1]

        text = re.sub(r"{(\w+)}", put, TEMPLATES[number % len(TEMPLATES)])
        yield Sentence(text, tuple(entities))


def record(path: Path, sentence: Sentence, generator: random.Random) -> tuple[str, float]:
    """Say it; returns the speaker and seconds."""
    voice = replace(Espeak(), variants=UNHEARD)
    speaker, samples = voice.say(spoken(sentence.text), generator)
    samples = trim(samples, 0.2)
    _write(path, samples * (10 ** (generator.uniform(-12, -3) / 20) / np.abs(samples).max()))
    return speaker, len(samples) / RATE


def _write(path: Path, samples: Samples) -> None:
    temporary = path.with_suffix(".tmp")
    soundfile.write(temporary, samples, RATE, "PCM_16", format="FLAC")
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder with speech/ and text/")
    parser.add_argument("out", type=Path)
    parser.add_argument("--trained", type=Path, nargs="*", default=[], help="manifests of the shards of all trainings")
    parser.add_argument("--excluded", action="store_true", help="say names that no sentence was made with")
    parser.add_argument("--count", type=int, default=300, help="utterances (default: %(default)s)")
    parser.add_argument("--distractors", type=int, default=1000, help="names that nobody says (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    assert not set(UNHEARD) & set(VARIANTS)
    heard = heard_words(args.shared, args.trained)
    names = Names.unheard(args.shared / "text", heard, args.seed)
    print({kind: len(found) for kind, found in names.by_kind.items()}, "names that training did not hear")
    said = Names.excluded(args.shared, heard, args.seed) if args.excluded else names
    args.out.mkdir(parents=True, exist_ok=True)
    generator, rows = random.Random(args.seed), []
    for number, sentence in enumerate(sentences(said, args.count)):
        path = args.out / f"heldout-{number:03d}.flac"
        speaker, seconds = record(path, sentence, generator)
        rows.append({"id": path.stem, "audio": path.name, "text": sentence.text, "entities": sentence.entities,
                     "speaker": speaker, "corpus": "synthetic", "duration": round(seconds, 3)})  # fmt: skip
    spoken = {word for row in rows for entity in row["entities"] for word in words_of(entity)}
    others: dict[str, str] = {}  # by their words: no two are one phrase
    while len(others) < args.distractors:
        name = names.take(generator.choices(list(KINDS), list(KINDS.values()))[0])
        if spoken.isdisjoint(words_of(name)):
            others.setdefault(" ".join(words_of(name)), fold(name))
    texts = {"distractors.txt": "".join(f"{name}\n" for name in others.values())}
    texts["manifest.jsonl"] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for name, text in texts.items():
        temporary = args.out / f"{name}.tmp"
        temporary.write_text(text, "utf-8")
        os.replace(temporary, args.out / name)
    print(f"{args.out}: {len(rows)} utterances, {sum(row['duration'] for row in rows) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
