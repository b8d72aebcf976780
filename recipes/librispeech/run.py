"""LibriSpeech (Panayotov et al. 2015) with the biasing lists of Le et al. 2021: from the archives to a table.

    python recipes/librispeech/run.py WORK                      # all stages
    python recipes/librispeech/run.py WORK download prepare     # some
    python recipes/librispeech/run.py WORK score --again        # a finished one anew

Settings are in config.toml, costs in README.md. Nothing is downloaded unless the stage `download` is run.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from corpus.archives import fetch_archives
from corpus.checksums import Checksum
from corpus.config import Config
from corpus.download import Downloader, DownloadOptions
from corpus.entities import EntityRules, add_entities
from corpus.evaluation import Evaluation
from corpus.learning import Learning
from corpus.lines import Unusable, read_lines, write_split, write_unusable
from corpus.recipe import seven_stages
from corpus.remote import Remote
from corpus.stages import Stages, main, say
from librispeech.biasing import (
    WORDS,
    read_published,
    read_words,
    reference_name,
    write_hypotheses,
    write_list_manifest,
)
from librispeech.comparison import METRICS, comparison
from librispeech.transcripts import read_part, read_speakers

from asrbias.files import write_whole


@dataclass(frozen=True, kw_only=True)
class Source:
    base_url: str = "https://www.openslr.org/resources/12"
    lists_url: str = "https://raw.githubusercontent.com/facebookresearch/fbai-speech/main/is21_deep_bias"
    keep_archives: bool = False


@dataclass(frozen=True, kw_only=True)
class Parts:
    train: tuple[str, ...] = ("train-clean-100", "train-clean-360", "train-other-500")
    dev: tuple[str, ...] = ("dev-clean", "dev-other")
    test: tuple[str, ...] = ("test-clean", "test-other")


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    sizes: tuple[int, ...] = (100, 500, 1000, 2000)


class LibriSpeech:
    """The stages in a working folder."""

    def __init__(self, work: Path, config: Config, options: DownloadOptions = DownloadOptions()) -> None:
        self.work, self.config, self.options = work, config, options
        self.source = config.fields("download", Source)
        self.parts = config.fields("parts", Parts)
        self.rules = config.fields("entities", EntityRules)
        self.sizes = config.fields("lists", ListOptions).sizes
        self.learning = Learning(work, config, judged_by="rare")
        self.evaluation = Evaluation(work, config)
        self.raw, self.lists = work / "raw", work / "is21"

    def stages(self) -> Stages:
        of = self.config.options
        source = {
            "parts": of("parts"),
            "sizes": self.sizes,
            "checksums": of("checksums"),
            "url": self.source.base_url,
            "lists": self.source.lists_url,
        }
        decoding = {"transcribe": of("transcribe")}
        return seven_stages(
            self.learning,
            {"download": self.download, "prepare": self.prepare, "decode": self.decode, "score": self.score},
            {"download": source, "prepare": of("entities"), "decode": decoding, "score": of("score")},
        )

    def download(self) -> None:
        archives = Downloader(self.raw, self.options)
        given = {name: str(text) for name, text in self.config.options("checksums").items()}
        given |= _published(archives.fetch(Remote(f"{self.source.base_url}/md5sum.txt")))
        names = [f"{part}.tar.gz" for part in (*self.parts.train, *self.parts.dev, *self.parts.test)]
        tars = [
            Remote(f"{self.source.base_url}/{name}", Checksum.parse(given[name], name) if name in given else None)
            for name in names
        ]
        paths = [f"words/{name}" for name in WORDS]
        paths += [f"ref/{reference_name(part, size)}" for part in self.parts.test for size in self.sizes]
        lists = [Remote(f"{self.source.lists_url}/{path}") for path in paths]
        fetch_archives(Downloader(self.lists, self.options), lists, archives, tars, keep=self.source.keep_archives)

    def prepare(self) -> None:
        root, folder = self.raw / "LibriSpeech", self.work / "manifests"
        speakers = read_speakers(root)
        splits: dict[str, list[dict[str, Any]]] = {}
        unusable: list[Unusable] = []
        named = {"train": self.parts.train, "dev": self.parts.dev, **{part: (part,) for part in self.parts.test}}
        for split, parts in named.items():
            rows = splits.setdefault(split, [])
            for part in parts:
                found, wrong = read_part(root, part, speakers)
                rows += [{**row, "audio": f"../raw/LibriSpeech/{row['audio']}"} for row in found]
                unusable += wrong
        write_unusable(folder / "unusable.jsonl", unusable)
        common, rare = (read_words(self.lists / name) for name in WORDS)
        add_entities(splits, self.rules, folder, common=common, known=rare)
        for name, rows in splits.items():
            write_split(folder / f"{name}.jsonl", rows)

    def decode(self) -> None:
        for part in self.parts.test:
            manifest = self.work / "manifests" / f"{part}.jsonl"
            self._decode(f"{part}-none", manifest, no_list=True)
            for size in self.sizes:
                listed = self.work / "lists" / f"{part}-{size}.jsonl"
                write_list_manifest(listed, read_lines(manifest), self.lists / reference_name(part, size))
                self._decode(f"{part}-{size}", listed)

    def _decode(self, name: str, manifest: Path, *, no_list: bool = False) -> None:
        run = self.evaluation.decode(name, manifest, no_list=no_list)
        write_hypotheses(self.work / "hypotheses" / f"{name}.tsv", run)

    def score(self) -> None:
        ours: dict[tuple[str, int], dict[str, float | None]] = {}
        for part in self.parts.test:
            for size in (0, *self.sizes):
                name = f"{part}-{size or 'none'}"
                reference = self.lists / reference_name(part, size or self.sizes[0])  # the rare words are the same
                hypotheses = self.work / "hypotheses" / f"{name}.tsv"
                content = self.evaluation.score(name, "--format", "is21", "--refs", reference, "--hyps", hypotheses)
                ours[part, size] = {metric: content[metric]["error_rate"] for metric in METRICS}
        table = comparison(read_published(), ours, self.parts.test, self.sizes)
        path = self.work / "results" / "table.md"
        write_whole(path, table.encode())
        say(f"{path}:\n{table}")


def _published(path: Path) -> dict[str, str]:
    """Checksums by name, of md5sum.txt."""
    rows = [line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return {row[1].lstrip("*"): f"md5:{row[0]}" for row in rows if len(row) == 2}


def make(work: Path, config: Path | None) -> Stages:
    """The stages with the settings of config.toml, or of a file that differs from it."""
    return LibriSpeech(work, Config(Path(__file__).with_name("config.toml"), config)).stages()


if __name__ == "__main__":
    sys.exit(main(make, __doc__))
