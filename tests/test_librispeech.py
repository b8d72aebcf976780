"""recipes/librispeech: every stage on a miniature of the corpus and of is21's lists, served over HTTP on loopback."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus_server import LEARNING, CorpusServer, serve, tar_of, tones

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recipes"))

from corpus.config import Config
from corpus.download import DownloadOptions
from corpus.errors import RecipeError
from corpus.remote import DownloadError
from librispeech.biasing import read_published, write_list_manifest
from librispeech.comparison import NOT_RUN, comparison
from librispeech.run import LibriSpeech
from librispeech.transcripts import read_part, read_speakers

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "librispeech"
QUICK = DownloadOptions(attempts=3, wait=0.0, timeout=10.0, reserve=0)
TEXTS = (
    "THE CAPTAIN SAW THE LIGHT OF MONTEZUMA IN THE HARBOUR",
    "SHE WROTE TO MARGUERITE ABOUT THE GARDEN AND THE HOUSE",
    "THE GARDEN OF THE HOUSE WAS NEAR THE HARBOUR",
    "MONTEZUMA AND MARGUERITE SAW THE CAPTAIN",
)
COMMON = "the captain saw light of in she wrote to about garden and house was near".split()
OTHERS = "aubigny barbiere cardoil datto chelan desvarennes dordogne commercium calincourt brownsboro".split()
TINY = """
[machine]
device = "cpu"
workers = 1
[download]
base_url = "URL/resources/12"
lists_url = "URL/is21"
[parts]
train = ["train-clean-100"]
dev = ["dev-clean"]
test = ["test-clean"]
[entities]
distractors = 10
[lm]
order = 2
prune = []
[lists]
sizes = [3, 5]
"""
TUNE = "utterances = 20\nsizes = [2]\nalone = 4\nlists = 1\ntrials = 3\nresamples = 100"


def part(name: str, speaker: int, count: int) -> dict[str, bytes]:
    """One chapter in the real layout."""
    folder = f"LibriSpeech/{name}/{speaker}/7"
    ids = [f"{speaker}-7-{number:04d}" for number in range(count)]
    said = "".join(f"{one} {TEXTS[number % len(TEXTS)]}\n" for number, one in enumerate(ids))
    speakers = "; a comment\n14   | F | train-clean-100  | 25.03 | Anne\n15   | M | dev-clean | 1 | Ben | C\n"
    audio = {f"{folder}/{one}.flac": tones(speaker * 100 + i, 4.0, "FLAC", "PCM_16") for i, one in enumerate(ids)}
    return {"LibriSpeech/SPEAKERS.TXT": speakers.encode(), f"{folder}/{speaker}-7.trans.txt": said.encode(), **audio}


def reference(size: int) -> bytes:
    lines = []
    for number in range(3):
        text = TEXTS[number].lower()
        rare = sorted(set(text.split()) - set(COMMON))
        listed = sorted([*rare, *OTHERS[: size - len(rare)]])
        lines.append(f"16-7-{number:04d}\t{text}\t{json.dumps(rare)}\t{json.dumps(listed)}\n")
    return "".join(lines).encode()


def corpus() -> dict[str, bytes]:
    archives = {
        "train-clean-100": tar_of(part("train-clean-100", 14, 8), "w:gz"),
        "dev-clean": tar_of(part("dev-clean", 15, 20), "w:gz"),
        "test-clean": tar_of(part("test-clean", 16, 3), "w:gz"),
    }
    sums = "".join(f"{hashlib.md5(data).hexdigest()}  {name}.tar.gz\n" for name, data in archives.items())
    return {
        "/resources/12/md5sum.txt": sums.encode(),
        **{f"/resources/12/{name}.tar.gz": data for name, data in archives.items()},
        **{f"/is21/ref/test-clean.biasing_{size}.tsv": reference(size) for size in (3, 5)},
        "/is21/words/common_words_5k.txt": "\n".join(COMMON).encode(),
        "/is21/words/all_rare_words.txt": b"\n".join(map(str.encode, OTHERS)),
    }


@pytest.fixture
def server() -> Iterator[CorpusServer]:
    with serve(corpus()) as running:
        yield running


def recipe(server: CorpusServer, folder: Path) -> LibriSpeech:
    config = folder / "tiny.toml"
    tuned = LEARNING.replace("utterances = 0", TUNE)
    config.write_text(TINY.replace("URL", server.url) + tuned)
    return LibriSpeech(folder / "work", Config(RECIPE / "config.toml", config), QUICK)


def test_all_stages_from_the_archives_to_the_table(
    server: CorpusServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asrbias.training.phonebank.HARDEST", math.inf)  # two updates teach nobody to hear
    server.cut_after["/resources/12/train-clean-100.tar.gz"] = [50_000]
    recipe(server, tmp_path).stages().run()
    work = tmp_path / "work"
    assert server.sent == {path: len(data) for path, data in server.files.items()}, "no byte comes twice"
    table = (work / "results" / "table.md").read_text()
    assert (work / "tune" / "tune.md").is_file() and (work / "model" / "decode.json").is_file()
    ours = [line for line in table.splitlines() if "**asrbias**" in line]
    assert len(ours) == 3 and NOT_RUN not in table
    hypotheses = (work / "hypotheses" / "test-clean-3.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in hypotheses] == ["16-7-0000", "16-7-0001", "16-7-0002"]
    capsys.readouterr()
    recipe(server, tmp_path).stages().run()
    assert capsys.readouterr().err.count("nothing to do") == 7


def test_a_damaged_archive_is_told_by_the_published_checksum(server: CorpusServer, tmp_path: Path) -> None:
    server.files["/resources/12/dev-clean.tar.gz"] += b"x"
    with pytest.raises(DownloadError, match=r"dev-clean.tar.gz: its md5 is .*, but was given .*set aside"):
        recipe(server, tmp_path).stages().run(["download"])
    assert not (tmp_path / "work" / "raw" / "LibriSpeech" / "dev-clean").exists()


def test_utterances_in_the_real_layout(tmp_path: Path) -> None:
    root = tmp_path / "LibriSpeech"
    for name, content in part("dev-clean", 15, 3).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (root / "dev-clean" / "15" / "7" / "15-7-0001.flac").unlink()
    (root / "dev-clean" / "15" / "7" / "15-7-0002.flac").write_bytes(b"no audio")
    rows, unusable = read_part(root, "dev-clean", read_speakers(root))
    assert [one.why.split(" ")[0:3] for one in unusable] == [["there", "is", "no"], ["its", "audio", "cannot"]]
    assert len(rows) == 1 and rows[0]["audio"] == "dev-clean/15/7/15-7-0000.flac" and rows[0]["gender"] == "male"
    assert rows[0]["text"] == TEXTS[0].lower() and rows[0]["duration"] == 4.0
    with pytest.raises(RecipeError, match="has no transcripts"):
        read_part(root, "dev-other", {})


def test_lists_are_those_of_the_reference_file(tmp_path: Path) -> None:
    (tmp_path / "ref.tsv").write_bytes(reference(5))
    rows = [{"id": f"16-7-{number:04d}", "text": TEXTS[number].lower()} for number in range(3)]
    write_list_manifest(tmp_path / "out.jsonl", rows, tmp_path / "ref.tsv")
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["entities"] == ["harbour", "montezuma"] and len(first["list"]) == 5
    with pytest.raises(RecipeError, match="16-7-0002 is in one only"):
        write_list_manifest(tmp_path / "out.jsonl", rows[:2], tmp_path / "ref.tsv")


def test_published_figures_stand_beside_ours() -> None:
    published = read_published()
    assert all(row["source"] in published["sources"] for row in published["rows"])
    table = comparison(
        published, {("test-clean", 100): {"wer": 1.0, "u_wer": 0.5, "b_wer": None}}, ("test-clean",), (100,)
    )
    assert "| 100 | **asrbias** | 1.00 / 0.50 / - |" in table and f"| none | **asrbias** | {NOT_RUN} |" in table
    assert "| 100 | RNN-T, WFST shallow fusion [1] | 3.06 / 2.28 / 9.41 |" in table


def test_published_figures_are_those_of_is21(shared: Path) -> None:
    """Three of the result files are at hand: what was read from the repository is what they say."""
    found = {row["file"]: row for row in read_published()["rows"]}
    for path in sorted((shared / "checks" / "is21").glob("*.result")):
        row = found[f"results/{path.name}"]
        said = [float(line.split("error_rate=")[1].split(",")[0]) for line in path.read_text().splitlines()]
        assert [row["wer"], row["u_wer"], row["b_wer"]] == [round(value, 2) for value in said]


def test_the_readme_has_the_table() -> None:
    table = comparison(read_published(), {}, ("test-clean", "test-other"), (100, 500, 1000, 2000))
    assert table in (RECIPE / "README.md").read_text()
