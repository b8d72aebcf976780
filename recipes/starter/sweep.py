"""What the strength of biasing does on held-out speech: entity F1 and WER over the bonus. For dev, never for test.

    python recipes/starter/sweep.py ../shared/speech/dev/manifest.jsonl \\
        --distractors ../shared/speech/distractors.txt --model runs/base

Posteriors are computed once. Two lists an utterance: its entities and N distractors (F1, WER), and N distractors alone
(WER, which must not rise).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from lists import read_distractors
from rich.console import Console
from rich.table import Table

from asrbias.audio import read_audio
from asrbias.decoder import DecodeOptions, Decoder
from asrbias.entities import EntityList
from asrbias.loading import load
from asrbias.score import score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--distractors", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100, help="distractors in each list (default: %(default)s)")
    parser.add_argument("--model", default="starter")
    parser.add_argument(
        "--bonus", type=float, nargs="+", default=[0.5, 1.0, 1.5, 2.0, 2.5, 3.0], help="nats per character"
    )
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.manifest.read_text(encoding="utf-8").splitlines()]
    recognizer = load(arguments.model)
    posteriors = recognizer.log_probs([read_audio(arguments.manifest.parent / line["audio"]) for line in lines])
    distractors = read_distractors(arguments.distractors, arguments.count)
    own = [EntityList([*line["entities"], *distractors]) for line in lines]
    alone = EntityList(distractors)
    references = [line["text"] for line in lines]
    entities = [line["entities"] for line in lines]
    table = Table("bonus", "WER", "precision", "recall", "F1", "WER, distractors only")
    for bonus in [0.0, *arguments.bonus]:
        options = replace(DecodeOptions(), bonus=bonus)
        decoder = Decoder(recognizer.decoder.labels, blank=recognizer.decoder.blank, options=options)
        row = []
        for lists in (own, [alone] * len(lines)):
            texts = [
                found[0].text if found else ""
                for found in decoder.decode_batch(posteriors, entities=lists if bonus else None)
            ]
            row.append(score(references, texts, entities=entities, lists=lists).totals)
        e = row[0].entities
        table.add_row(
            f"{bonus:g}",
            *(f"{x or 0:.2f}" for x in (row[0].wer.error_rate, e.precision, e.recall, e.f1, row[1].wer.error_rate)),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
