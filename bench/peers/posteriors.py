"""The posteriors that every system decodes: made once from a model and a manifest, kept in a folder.

    python bench/peers/posteriors.py asrbias/models/starter ../shared/speech/dev/manifest.jsonl build/peers/dev

The folder holds posteriors.safetensors ([T, V] and [T, P] of each utterance in half precision), utterances.jsonl (the
manifest's lines) and the vocabulary. Every system reads the same rounded numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from asrbias.files import write_whole
from asrbias.tokens import Vocabulary

MATRICES, LINES = "posteriors.safetensors", "utterances.jsonl"
FIELDS = ("id", "text", "entities", "speaker", "corpus", "duration")


@dataclass(frozen=True, eq=False)
class Utterance:
    """One recording: what was said, and what the model makes of it."""

    id: str
    text: str
    entities: tuple[str, ...]
    log_probs: npt.NDArray[np.float32]  # [T, V] natural logarithms
    phones: npt.NDArray[np.float32] | None  # [T, P] of the phone head
    duration: float  # seconds
    fields: dict[str, Any] = field(default_factory=dict)  # of the manifest


@dataclass(frozen=True, eq=False)
class Posteriors:
    """A folder read: utterances and the vocabulary of their labels."""

    utterances: tuple[Utterance, ...]
    vocabulary: Vocabulary
    digest: str  # of the matrices' file: results made from other posteriors are not mixed with these

    @classmethod
    def read(cls, folder: Path) -> Posteriors:
        lines = [json.loads(line) for line in (folder / LINES).read_text(encoding="utf-8").splitlines()]
        utterances = []
        with safe_open(folder / MATRICES, framework="numpy") as file:
            names = set(file.keys())
            for number, line in enumerate(lines):
                phones = file.get_tensor(f"phones{number}").astype(np.float32) if f"phones{number}" in names else None
                utterances.append(
                    Utterance(
                        id=line["id"],
                        text=line["text"],
                        entities=tuple(line["entities"]),
                        log_probs=np.ascontiguousarray(file.get_tensor(f"labels{number}"), np.float32),
                        phones=phones,
                        duration=float(line["duration"]),
                        fields=line,
                    )
                )
        digest = hashlib.blake2b((folder / MATRICES).read_bytes(), digest_size=8).hexdigest()
        return cls(tuple(utterances), Vocabulary.load(folder), digest)

    def sample(self, count: int | None, seed: int = 0) -> Posteriors:
        """`count` utterances drawn with a seed, in their order; all of them for None."""
        if count is None or count >= len(self.utterances):
            return self
        drawn = sorted(np.random.default_rng(seed).permutation(len(self.utterances))[:count].tolist())
        return Posteriors(tuple(self.utterances[i] for i in drawn), self.vocabulary, f"{self.digest}-{count}-{seed}")

    def every(self, step: int) -> Posteriors:
        """Each `step`-th utterance; all of them for 1."""
        if step == 1:
            return self
        return Posteriors(self.utterances[::step], self.vocabulary, f"{self.digest}-every{step}")


def write(folder: Path, lines: list[dict[str, Any]], matrices: dict[str, Any], vocabulary: Vocabulary) -> None:
    """matrices: labels0, phones0, labels1, ... of each line."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary.save(folder)
    kept = [{name: line[name] for name in FIELDS if name in line} for line in lines]
    write_whole(folder / LINES, "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in kept).encode())
    write_whole(folder / MATRICES, save({n: np.ascontiguousarray(m, np.float16) for n, m in matrices.items()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder, or the name of one that comes with the package")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    import torch

    from asrbias.audio import read_audio
    from asrbias.loading import load

    model = load(arguments.model).model
    lines = [json.loads(line) for line in arguments.manifest.read_text(encoding="utf-8").splitlines()]
    matrices: dict[str, Any] = {}
    for number, line in enumerate(lines):  # one at a time: padding changes nothing that way
        wave = torch.from_numpy(read_audio(arguments.manifest.parent / line["audio"]))
        line.setdefault("duration", len(wave) / model.features.options.sample_rate)
        with torch.inference_mode():
            output = model(wave[None], torch.tensor([len(wave)]))
        matrices[f"labels{number}"] = output.log_probs[0].numpy()
        matrices[f"phones{number}"] = output.phones[0].numpy()
    write(arguments.output, lines, matrices, model.vocabulary)
    print(f"{arguments.output}: {len(lines)} utterances")


if __name__ == "__main__":
    main()
