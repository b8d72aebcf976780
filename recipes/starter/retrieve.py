r"""Labels for clips whose transcripts are not at hand but whose sentences are: each clip is looked up among them.

    python recipes/starter/retrieve.py SHARED/speech/unlabelled/manifest.jsonl \
        --sentences SHARED/text/commonvoice-sentences.txt.gz --output WORK/real/found

A recogniser far too weak to transcribe a clip can still tell which of several thousand sentences it is. Two steps: the
sentences nearest to the greedy transcript by character n-grams (tf-idf), then the CTC likelihood of each of those. A
clip is kept where its best sentence leads the second by `--lead` nats, and lies within `--slack` nats a frame of the
best path of all (a clip whose sentence is not among them fails the second). `--check` measures both errors on a
manifest with transcripts, once with its own sentences among the others and once without.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from asrbias.audio import read_audio
from asrbias.manifest import ManifestLine, read_manifest
from asrbias.model import Model, load_model
from asrbias.text import normalise
from asrbias.training.evaluate import greedy
from asrbias.training.shards import write_shard

SHORTLIST = 60  # sentences whose likelihood is computed


@dataclass(frozen=True)
class Clip:
    line: ManifestLine
    samples: npt.NDArray[np.float32]  # [S]
    log_probs: torch.Tensor  # [T, V]
    text: str  # greedy


@dataclass(frozen=True)
class Match:
    sentence: int  # index
    lead: float  # nats before the second
    slack: float  # nats a frame below the best path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--sentences", type=Path, required=True, help="text, a sentence a line, may be gzipped")
    parser.add_argument("--model", type=Path, default=Path(__file__).parents[2] / "asrbias/models/starter")
    parser.add_argument("--output", type=Path, help="shard to write, without ending")
    parser.add_argument("--check", action="store_true", help="the manifest has transcripts: measure, write nothing")
    parser.add_argument("--corpus", help="only lines of this corpus")
    parser.add_argument("--lead", type=float, default=8.0, help="nats")
    parser.add_argument("--slack", type=float, default=0.45, help="nats a frame")
    arguments = parser.parse_args()
    if not arguments.check and arguments.output is None:
        parser.error("name an --output, or --check")
    model = load_model(arguments.model)
    with gzip.open(arguments.sentences, "rt", encoding="utf-8") as file:
        sentences = sorted({line.strip() for line in file} - {""})
    lines = [x for x in read_manifest(arguments.manifest) if arguments.corpus in (None, x.fields.get("corpus"))]
    if arguments.check:
        check(model, lines, sentences, arguments.lead, arguments.slack)
        return
    finder, kept = Finder(model, sentences), []
    for clip in listen(model, lines):
        match = finder.find(clip)
        if match.lead >= arguments.lead and match.slack <= arguments.slack:
            fields = {
                "id": clip.line.id,
                "corpus": clip.line.fields.get("corpus", ""),
                "text": sentences[match.sentence],
            }
            pcm = np.clip(np.rint(clip.samples * 32767.0), -32768, 32767).astype(np.int16)
            kept.append(({**fields, "lead": round(match.lead, 2), "slack": round(match.slack, 4)}, pcm))
    samples = write_shard(arguments.output, kept)
    print(f"{len(kept)} of {len(lines)} clips found, {samples / 16_000 / 3600:.2f} h: {arguments.output}.jsonl")


@torch.inference_mode()
def listen(model: Model, lines: Sequence[ManifestLine]) -> Iterator[Clip]:
    """Each line's clip with its posteriors and greedy transcript."""
    for line in lines:
        samples = read_audio(line.audio, sample_rate=16_000)
        output = model(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        text = model.vocabulary.decode(greedy(output.log_probs, output.lengths)[0])
        yield Clip(line, samples, output.log_probs[0], text)


class Finder:
    """Sentences, indexed by character n-grams."""

    def __init__(self, model: Model, sentences: Sequence[str]) -> None:
        texts = [normalise(sentence) for sentence in sentences]
        self.labels = [torch.tensor(model.vocabulary.encode(text), dtype=torch.long) for text in texts]
        self.size = len(texts)
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, text in enumerate(texts):
            counts = Counter(_grams(text))
            norm = sum(n * n for n in counts.values()) ** 0.5
            for gram, n in counts.items():
                postings[gram].append((number, n / norm))
        self.postings = {
            gram: (np.array([number for number, _ in found]), np.array([share for _, share in found]))
            for gram, found in postings.items()
        }

    def find(self, clip: Clip) -> Match:
        near = np.zeros(self.size)
        for gram, n in Counter(_grams(clip.text)).items():
            if gram in self.postings:
                where, share = self.postings[gram]
                near[where] += n * share * np.log(self.size / len(where)) ** 2
        best = np.argsort(-near)[:SHORTLIST]
        scores = -likelihood(clip.log_probs, [self.labels[n] for n in best])
        order = scores.argsort(descending=True)
        top, second = scores[order[0]].item(), scores[order[1]].item()
        path = clip.log_probs.max(-1).values.sum().item()
        return Match(int(best[order[0]]), top - second, (path - top) / len(clip.log_probs))


def likelihood(log_probs: torch.Tensor, labels: Sequence[torch.Tensor]) -> torch.Tensor:
    """log_probs [T, V], N label sequences -> CTC losses [N] in nats (infinite where too long)."""
    lengths = torch.tensor([len(x) for x in labels])
    many = log_probs[:, None].expand(-1, len(labels), -1)
    frames = torch.full((len(labels),), len(log_probs))
    return F.ctc_loss(many, torch.cat(list(labels)), frames, lengths, reduction="none")


def _grams(text: str) -> list[str]:
    padded = f" {text} "
    return [padded[i : i + n] for n in (3, 4) for i in range(len(padded) - n + 1)]


def check(model: Model, lines: Sequence[ManifestLine], sentences: Sequence[str], lead: float, slack: float) -> None:
    """Errors of both kinds on transcribed clips."""
    own = {str(line.fields["text"]).strip() for line in lines}
    without = [sentence for sentence in sentences if sentence not in own]
    with_own = sorted({*without, *own})
    absent, present = Finder(model, without), Finder(model, with_own)
    rows = []
    for clip in listen(model, lines):
        a, p = absent.find(clip), present.find(clip)
        rows.append((p, with_own[p.sentence] == str(clip.line.fields["text"]).strip(), a))
    kept = [right for p, right, _ in rows if p.lead >= lead and p.slack <= slack]
    false = sum(a.lead >= lead and a.slack <= slack for _, _, a in rows)
    print(f"present: {len(kept)} of {len(rows)} kept, {len(kept) - sum(kept)} of them wrong; absent: {false} kept")
    print(json.dumps([[p.lead, p.slack, right, a.lead, a.slack] for p, right, a in rows]))


if __name__ == "__main__":
    main()
