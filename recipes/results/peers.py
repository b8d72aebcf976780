"""Ours against the peers of bench/peers on the same posteriors and lists, each peer's weights tuned on speech/dev.

Their environment is made if it is not there (bench/peers/setup.sh). Tuning searches around the weights of
bench/peers/tuned; what was tuned and decoded for a model is kept in --output.

    python recipes/results/peers.py SHARED              # docs/results/peers.md
"""

from __future__ import annotations

import json
import os
import subprocess
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from page import ROOT, Maker, Page, model_digest, parser, rows
from speech import number

from asrbias.loading import find_language_model

BENCH = ROOT / "bench" / "peers"
BIASES = ("1", "1.7", "2")
COUNTS, SILENT = (100, 1_000, 10_000), 1_000
EVERY = 4  # as in list_size.py: lists of 10,000 for every fourth recording
BARS = {
    100: 0.7,
    1_000: 0.6,
    10_000: 0.6,
}  # what ours may miss of F1 100, as a share of what the best peer misses (issue 4)
SAMPLE = 160  # recordings of dev to tune on
Rows = list[dict[str, Any]]


def main() -> None:
    made = parser(__doc__, limit=False)
    made.add_argument("--env", type=Path, default=ROOT / "build" / "peers-env", help="made if it is not there")
    made.add_argument("--counts", type=int, nargs="+", default=list(COUNTS), help="distractors in each list")
    made.add_argument("--sample", type=int, default=SAMPLE, help="recordings of dev to tune on (default: %(default)s)")
    arguments = made.parse_args()
    data = [arguments.shared / "speech" / name for name in ("test/manifest.jsonl", "distractors.txt")]
    data += [*sorted(BENCH.glob("*.py")), *sorted((BENCH / "tuned").glob("*.json"))]
    options = {"counts": arguments.counts, "sample": arguments.sample}
    maker = Maker(name="peers", script=Path(__file__), arguments=arguments, data=data, options=options)
    if maker.done():
        return
    bench = Bench(arguments, maker.folder)
    bench.prepare()
    found = bench.run(bench.tune())
    utterances = len((bench.folder / "test" / "utterances.jsonl").read_text(encoding="utf-8").splitlines())
    maker.write(
        Page(
            name="peers",
            title="Against other decoders",
            blocks={
                "table": table(found, arguments.counts) + "\n" + "\n".join(f"- {one}" for one in remarks(found)) + "\n"
            },
            more=weights(found),
            about=(
                f"data: `speech/test`, {utterances} recordings; a list of N is an utterance's own entities and the "
                "first N lines of `distractors.txt`, or these alone; the same posteriors, lists and words for all",
                f"lists of 10,000: every {EVERY}th recording only",
                f"weights: each peer's of highest F1 on {arguments.sample} recordings of `speech/dev` with "
                f"{', '.join(f'{n:,}' for n in arguments.counts)} distractors, near bench/peers/tuned; ours as shipped",
                "peers: pyctcdecode 0.5.0, flashlight-text 0.0.7, the CTC word spotter of nemo_toolkit 3.0.0",
                "intervals: 95 %, paired bootstrap over utterances, 10,000 draws",
            ),
        )
    )


class Bench:
    """The stages of bench/peers, each kept in a folder of the model's own."""

    def __init__(self, arguments: Namespace, model: Path) -> None:
        self.arguments, self.model = arguments, model
        self.folder: Path = arguments.output / "peers" / model_digest(model)
        self.python = arguments.env / "bin" / "python"
        lm = find_language_model(model)
        distractors = arguments.shared / "speech" / "distractors.txt"
        self.common = ["--distractors", str(distractors), *(["--lm", str(lm)] if lm is not None else [])]

    def prepare(self) -> None:
        """The environment, and the posteriors of dev and test."""
        if not self.python.is_file():
            subprocess.run(["bash", str(BENCH / "setup.sh"), str(self.arguments.env)], check=True)
        for split in ("dev", "test"):
            if not (self.folder / split).is_dir():
                manifest = self.arguments.shared / "speech" / split / "manifest.jsonl"
                self.call("posteriors.py", str(self.model), str(manifest), str(self.folder / "part"))
                (self.folder / "part").rename(self.folder / split)

    def tune(self) -> Path:
        """The peers' weights on dev."""
        tuned = self.folder / "-".join(map(str, ("tuned", self.arguments.sample, *self.arguments.counts)))
        names = sorted(path.stem for path in (BENCH / "tuned").glob("*.json"))
        left = [name for name in names if not (tuned / f"{name}.json").is_file()]
        if left:
            self.call("tune.py", str(self.folder / "dev"), *self.common, "--near", str(BENCH / "tuned"), "--utterances",
                      str(self.arguments.sample), "--counts", *map(str, self.arguments.counts), "--output", str(tuned),
                      "--system", *left)  # fmt: skip
        return tuned

    def run(self, tuned: Path) -> dict[str, Rows]:
        """The figures by condition."""
        own = json.loads((self.model / "decode.json").read_text(encoding="utf-8"))
        ours = {
            f"asrbias, bias {bias}": {**own, "decode": {**own["decode"], "bias": float(bias)}, "lm": True}
            for bias in BIASES
        }
        path = self.folder / "ours.json"
        path.write_text(json.dumps(ours), encoding="utf-8")
        counts = map(str, self.arguments.counts)
        self.call("run.py", str(self.folder / "test"), *self.common, "--tuned", str(tuned), "--ours", str(path),
                  "--timed", "0", "--counts", *counts, "--alone", str(SILENT), "--every", str(EVERY), "--output",
                  str(self.folder / "out"))  # fmt: skip
        found: dict[str, Rows] = json.loads((self.folder / "out" / "peers.json").read_text(encoding="utf-8"))
        return found

    def call(self, script: str, *arguments: str) -> None:
        threads = str(self.arguments.threads)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        subprocess.run([str(self.python), str(BENCH / script), *arguments], check=True, env=environment)


def table(found: Mapping[str, Rows], counts: Sequence[int]) -> str:
    """A row a system: WER without a list; F1, WER and false hits by N; what distractors alone do."""
    head = ["`speech/test`", "no list: WER, %"]
    for count in counts:
        head += [f"N = {count:,}: F1", "WER, %", "false hits"]
    head += [f"{SILENT:,} alone: WER against no list", "false hits"]
    shown: list[Sequence[str]] = [head]
    for place, first in enumerate(found["none"]):
        cells = [first["name"], number(first["wer"])]
        for count in counts:
            one = found[f"own-{count}"][place]
            low, high = one["intervals"].get("f1", (0, 0))
            cells += [f"{number(one['f1'])} ({low:.1f} to {high:.1f})", number(one["wer"]), number(one["false_hits"])]
        alone = found[f"alone-{SILENT}"][place]
        shown.append([*cells, "{:+.1f} ({:+.1f} to {:+.1f})".format(*alone["wer_rise"]), number(alone["false_hits"])])
    return rows(*shown)


def is_ours(row: Mapping[str, Any]) -> bool:
    return str(row["name"]).startswith("asrbias")


def remarks(found: Mapping[str, Rows]) -> list[str]:
    """At each N the best peer beside ours: who is ahead, with what interval, and what is missing to 100."""
    said = []
    for condition, all_rows in found.items():
        kind, _, count = condition.partition("-")
        if kind != "own":
            continue
        peer = max((row for row in all_rows if not is_ours(row)), key=lambda row: row["f1"] or 0)
        parts = [beside(row, peer, int(count)) for row in filter(is_ours, all_rows)]
        said.append(f"N = {int(count):,}, best peer {peer['name']} ({peer['f1']:.1f}): {'; '.join(parts)}.")
    return said


def beside(row: Mapping[str, Any], peer: Mapping[str, Any], count: int) -> str:
    """One of ours beside a peer."""
    more, low, high = peer["ours_minus"][row["name"]]["f1"]
    place = "ahead" if low > 0 else "**behind**" if high < 0 else "**not certainly ahead**"
    share, bar = (100 - row["f1"]) / (100 - peer["f1"]), BARS.get(count, 0.6)
    reached = "" if share <= bar else ", **not reached**"
    hits = f"false hits {number(row['false_hits'])} against {number(peer['false_hits'])}"
    hits += "" if row["false_hits"] <= peer["false_hits"] else " (**more**)"
    return (
        f"{row['name']} {place}, {more:+.1f} ({low:+.1f} to {high:+.1f}), misses {share:.2f} of what it misses (at "
        f"most {bar} wanted{reached}), {hits}"
    )


def weights(found: Mapping[str, Rows]) -> str:
    """The peers' weights as they were tuned."""
    lines = ["## The peers' weights\n"]
    for condition, all_rows in found.items():
        if condition.startswith("own"):
            lines += [
                f"- {condition}, {row['name']}: `{json.dumps(row['options'])}`" for row in all_rows if not is_ours(row)
            ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
