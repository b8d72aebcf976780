"""VoxPopuli (Wang et al. 2021), English: from the official archives to a table of results.

    python recipes/voxpopuli/run.py WORK                      # all stages
    python recipes/voxpopuli/run.py WORK download prepare     # some
    python recipes/voxpopuli/run.py WORK score --again        # a finished one anew

Settings are in config.toml, costs in README.md. Nothing is downloaded unless the stage `download` is run.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from corpus.archives import fetch_archives
from corpus.checksums import Checksum
from corpus.config import Config, Machine
from corpus.download import Downloader, DownloadOptions
from corpus.entities import EntityRules
from corpus.evaluation import Evaluation
from corpus.learning import Learning
from corpus.recipe import seven_stages
from corpus.remote import Remote
from corpus.stages import Stages, main, say
from corpus.table import GROUP_HEADER, HEADER, figures, group_rows, markdown
from voxpopuli.prepare import PrepareOptions, prepare

from asrbias.files import write_whole


@dataclass(frozen=True, kw_only=True)
class Release:
    """What of the official release is taken."""

    base_url: str = "https://dl.fbaipublicfiles.com/voxpopuli"
    years: tuple[int, ...] = tuple(range(2009, 2021))
    languages: tuple[str, ...] = ("en", "en_accented")
    keep_archives: bool = False


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    tests: tuple[str, ...] = ("test", "accented")
    kinds: tuple[str, ...] = ("rare", "names")
    sizes: tuple[int, ...] = (100, 1000)


class VoxPopuli:
    """The stages in a working folder."""

    def __init__(self, work: Path, config: Config, options: DownloadOptions = DownloadOptions()) -> None:
        self.work, self.config, self.options = work, config, options
        self.release = config.fields("download", Release)
        self.rules = config.fields("entities", EntityRules)
        self.cutting = config.fields("prepare", PrepareOptions)
        self.lists = config.fields("lists", ListOptions)
        self.machine = config.fields("machine", Machine)
        self.learning, self.evaluation = Learning(work, config), Evaluation(work, config)

    def stages(self) -> Stages:
        of = self.config.options
        release = {"years": self.release.years, "languages": self.release.languages, "url": self.release.base_url}
        return seven_stages(
            self.learning,
            {"download": self.download, "prepare": self.prepare, "decode": self.decode, "score": self.score},
            {
                "download": release | {"checksums": of("checksums")},
                "prepare": {"prepare": of("prepare"), "entities": of("entities")},
                "decode": {"lists": of("lists"), "transcribe": of("transcribe")},
                "score": of("score"),
            },
        )

    def download(self) -> None:
        base = self.release.base_url.rstrip("/")
        given = self.config.options("checksums")

        def remote(path: str) -> Remote:
            name = path.rsplit("/", 1)[1]
            return Remote(f"{base}/{path}", Checksum.parse(str(given[name]), name) if name in given else None)

        annotations = [remote(f"annotations/asr/asr_{name}.tsv.gz") for name in self.release.languages]
        archives = [remote(f"audios/original_{year}.tar") for year in self.release.years]
        fetch_archives(
            Downloader(self.work / "annotations", self.options), annotations,
            Downloader(self.work / "raw_audios", self.options), archives, keep=self.release.keep_archives,
        )  # fmt: skip

    def prepare(self) -> None:
        prepare(self.work, self.release.languages, self.cutting, self.rules, self.machine.workers)

    def tests(self) -> list[str]:
        """Those of the config that were prepared."""
        return [test for test in self.lists.tests if (self.work / "manifests" / f"{test}.jsonl").is_file()]

    def decode(self) -> None:
        for test in self.tests():
            self.evaluation.decode(f"{test}-none", self.work / "manifests" / f"{test}.jsonl", no_list=True)
            for kind in self.lists.kinds:
                for size in self.lists.sizes:
                    manifest = self.evaluation.list_manifest(test, kind, size)
                    self.evaluation.decode(f"{test}-{kind}-{size}", manifest)

    def score(self) -> None:
        rows: list[list[str]] = []
        groups: list[list[str]] = []
        for test in self.tests():
            for kind in self.lists.kinds:
                for size in self.lists.sizes:
                    name = f"{test}-{kind}-{size}"
                    path, none = (self.evaluation.run_path(run) for run in (name, f"{test}-none"))
                    content = self.evaluation.score(name, path, "--baseline", none)
                    if size == self.lists.sizes[0]:
                        rows.append([test, kind, "none", *figures(content["baseline"])])
                        groups += group_rows(f"{test}, {kind} + {size}", content)
                    rows.append([test, kind, f"own + {size}", *figures(content)])
        table = markdown(("test", "entities", "list", *HEADER), rows)
        by_group = markdown(GROUP_HEADER, groups)
        path = self.work / "results" / "table.md"
        write_whole(path, f"{table}\nBy group, at least 200 reference words each:\n\n{by_group}".encode())
        say(f"{path}:\n{table}")


def make(work: Path, config: Path | None) -> Stages:
    """The stages with the settings of config.toml, or of a file that differs from it."""
    return VoxPopuli(work, Config(Path(__file__).with_name("config.toml"), config)).stages()


if __name__ == "__main__":
    sys.exit(main(make, __doc__))
