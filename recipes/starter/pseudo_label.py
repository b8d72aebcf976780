r"""Labels for clips without transcripts: what a model with a language model hears, where it is sure of it.

    python recipes/starter/pseudo_label.py SHARED/speech/unlabelled/manifest.jsonl --model WORK/s9 \
        --lm asrbias/models/starter/lm.npz --keep 0.6 --skip WORK/real/found.jsonl --output WORK/real/heard

Confidence is the mean of the words' confidences times the share of letters on which the search with the language model
and the one without agree. `--check` prints, on a manifest with transcripts, the error rates of the surest shares.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from asrbias.audio import Samples, read_audio
from asrbias.decoder import Decoder
from asrbias.loading import load
from asrbias.manifest import read_manifest
from asrbias.text import normalise
from asrbias.training.shards import write_shard

SHORTEST = 3  # words: shorter transcripts are mostly wrong


class Labeller:
    """The model's whole joint decoding, and a beam search without language model."""

    def __init__(self, model: str, lm: Path) -> None:
        self.recognizer = load(model, lm=lm)
        self.plain = Decoder(self.recognizer.model.vocabulary.labels)

    def label(self, samples: Samples) -> tuple[str, float]:
        """Samples [S] -> text and confidence, 0..1."""
        best = self.recognizer.transcribe(samples)
        plain = self.plain.decode(self.recognizer.log_probs([samples])[0])[0]
        if not best.words or not plain.text:
            return best.text, 0.0
        sure = float(np.mean([word.confidence for word in best.words]))
        apart = Levenshtein.distance(best.text, plain.text) / len(plain.text)
        return best.text, sure * max(0.0, 1.0 - apart)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--lm", type=Path, required=True, help="language model")
    parser.add_argument(
        "--keep", type=float, default=0.6, help="share of the clips, surest first (default: %(default)s)"
    )
    parser.add_argument("--skip", type=Path, help="shard whose clips have better labels")
    parser.add_argument("--corpus", help="only lines of this corpus")
    parser.add_argument("--output", type=Path, help="shard to write, without ending")
    parser.add_argument("--check", action="store_true", help="the manifest has transcripts: measure, write nothing")
    arguments = parser.parse_args()
    if not arguments.check and arguments.output is None:
        parser.error("name an --output, or --check")
    labeller = Labeller(arguments.model, arguments.lm)
    better = {json.loads(line)["id"] for line in arguments.skip.open(encoding="utf-8")} if arguments.skip else set()
    lines = [
        line for line in read_manifest(arguments.manifest) if arguments.corpus in (None, line.fields.get("corpus"))
    ]
    rows: list[tuple[float, dict[str, Any], Samples]] = []
    for line in lines:
        if line.id not in better:
            samples = read_audio(line.audio, sample_rate=16_000)
            text, sure = labeller.label(samples)
            fields = {"id": line.id, "corpus": line.fields.get("corpus", ""), "text": text, "sure": round(sure, 4)}
            rows.append((sure, fields | {"said": line.fields.get("text", "")}, samples))
    rows.sort(key=lambda row: -row[0])
    if arguments.check:
        check([fields for _, fields, _ in rows])
        return
    kept = [row for row in rows[: round(arguments.keep * len(rows))] if len(row[1]["text"].split()) >= SHORTEST]
    written = write_shard(
        arguments.output,
        ((fields, np.clip(np.rint(samples * 32767.0), -32768, 32767).astype(np.int16)) for _, fields, samples in kept),
    )
    print(f"{len(kept)} of {len(lines)} clips, {written / 16_000 / 3600:.2f} h, the least sure {kept[-1][0]:.2f}")


def check(rows: list[dict[str, Any]]) -> None:
    """Error rates of the surest shares; rows are sorted, the surest first."""
    for share in (0.2, 0.4, 0.6, 0.8, 1.0):
        some = rows[: round(share * len(rows))]
        pairs = [(normalise(row["said"]), row["text"]) for row in some]
        words = sum(Levenshtein.distance(a.split(), b.split()) for a, b in pairs) / sum(
            len(a.split()) for a, _ in pairs
        )
        letters = sum(Levenshtein.distance(a, b) for a, b in pairs) / sum(len(a) for a, _ in pairs)
        print(f"surest {share:.0%}: WER {100 * words:.1f} %, letter error rate {100 * letters:.1f} %")


if __name__ == "__main__":
    main()
