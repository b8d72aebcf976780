"""The demo's recordings: a few sentences full of names the starter model was never trained on, said by flite.

    python recipes/starter/demo_audio.py recipes/starter/demo

Writes small FLAC files and `demo.jsonl`, a manifest whose `entities` are the names that are spoken and about forty
that are not. All of them are from `held_out_names.txt`, so sentences.py keeps them out of the synthetic training text;
what is not in that list is refused here. flite and its voices are under a BSD-like licence.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from sentences import HELD_OUT, Exclusion, words_of
from synthesize import spoken, trim
from voices import RATE, Flite


@dataclass(frozen=True, kw_only=True)
class Line:
    """A recording to make: `entities` are the names spoken, as `text` has them; `kinds` those of its distractors."""

    id: str
    speaker: str
    text: str
    entities: tuple[str, ...]
    kinds: tuple[str, ...]


LINES = (
    Line(
        id="contacts",
        speaker="slt",
        text="Please call Anneliese Nakamura, and tell Papadopoulos that Delacroix will be late.",
        entities=("Anneliese Nakamura", "Papadopoulos", "Delacroix"),
        kinds=("people",),
    ),
    Line(
        id="medicines",
        speaker="rms",
        text="The doctor said that Metformin is better for him than Ozempic or Prednisone.",
        entities=("Metformin", "Ozempic", "Prednisone"),
        kinds=("medicines",),
    ),
    Line(
        id="cities",
        speaker="awb",
        text="We flew from Casablanca to Montevideo, and then took the train to Rotterdam.",
        entities=("Casablanca", "Montevideo", "Rotterdam"),
        kinds=("places",),
    ),
    Line(
        id="parliament",
        speaker="slt",
        text="I thank Metsola and Verhofstadt for what they said to this house about Kharkiv.",
        entities=("Metsola", "Verhofstadt", "Kharkiv"),
        kinds=("people", "places"),
    ),
    Line(
        id="companies",
        speaker="rms",
        text="Volkswagen and Ericsson will work with Novartis for the next five years.",
        entities=("Volkswagen", "Ericsson", "Novartis"),
        kinds=("companies", "places"),
    ),
    Line(
        id="news",
        speaker="awb",
        text="President Zelenskyy came back to Kyiv after he had met Ramaphosa and Timmermans.",
        entities=("Zelenskyy", "Kyiv", "Ramaphosa", "Timmermans"),
        kinds=("people", "places"),
    ),
)


def read_kinds(path: Path = HELD_OUT) -> dict[str, list[str]]:
    """The held-out names by kind; a comment of one word starts a kind."""
    kinds: dict[str, list[str]] = {}
    kind = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#"):
            kind = line[1:].strip()
        elif line:
            kinds.setdefault(kind, []).append(line)
    return kinds


def entity_list(line: Line, kinds: dict[str, list[str]], distractors: int = 40) -> list[str]:
    """The line's own names and `distractors` others, those of its kinds first, in alphabetical order."""
    said = set(words_of(line.text))
    for name in line.entities:
        for word in words_of(name):
            if Exclusion.read().found_in(word) is None:
                raise ValueError(f"{word!r} of the demo is not in {HELD_OUT.name}: add it there and train again")
    generator = random.Random(line.id)
    fits: list[str] = []
    others: list[str] = []
    for kind, names in kinds.items():
        free = [name for name in names if not said & set(words_of(name))]
        (fits if kind in line.kinds else others).extend(generator.sample(free, len(free)))
    return sorted([*line.entities, *(fits + others)[:distractors]], key=str.casefold)


def record(folder: Path, line: Line) -> Path:
    """Say the line into `folder`, at a peak of -6 dB."""
    voice = Flite(name=line.speaker, stretch=(1.1, 1.1), f0_shift=(1.0, 1.0))
    _, samples = voice.say(spoken(line.text), random.Random(line.id))
    samples = trim(samples, 0.3)
    path = folder / f"{line.id}.flac"
    temporary = path.with_suffix(".tmp")
    soundfile.write(temporary, samples * (0.5 / np.abs(samples).max()), RATE, "PCM_16", format="FLAC")
    os.replace(temporary, path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the recordings")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    kinds, rows = read_kinds(), []
    for line in LINES:
        path = record(args.out, line)
        seconds = soundfile.info(path).duration
        row = {"id": line.id, "audio": path.name, "text": line.text, "entities": entity_list(line, kinds)}
        rows.append({**row, "spoken": line.entities, "speaker": f"flite-{line.speaker}", "duration": round(seconds, 2)})
        print(f"{path}: {seconds:.1f} s, {path.stat().st_size / 1000:.0f} kB")
    temporary = args.out / "demo.jsonl.tmp"
    temporary.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    os.replace(temporary, args.out / "demo.jsonl")


if __name__ == "__main__":
    main()
