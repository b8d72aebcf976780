"""recipes/voxpopuli: every stage on a miniature release in the real format, served over HTTP on loopback."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from tests.corpus_server import LEARNING, RATE, CorpusServer, serve, tar_of, tones

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recipes"))

from corpus.commands import train
from corpus.config import Config, Machine
from corpus.disk import DiskFullError
from corpus.download import DownloadOptions
from corpus.errors import RecipeError
from corpus.rare import names_in, rare_words
from corpus.remote import DownloadError
from corpus.stages import main
from voxpopuli.annotations import read_annotations
from voxpopuli.run import VoxPopuli, make
from voxpopuli.segments import cut_all

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
QUICK = DownloadOptions(attempts=3, wait=0.0, timeout=10.0, reserve=0)
COLUMNS = (
    "session_id", "id_", "original_text", "normed_text", "speaker_id", "start_time", "end_time", "split", "gender",
    "vad", "is_gold_transcript", "accent",
)  # fmt: skip
TEXTS = (
    "Madam President, I thank Mrs Ashton for the report on the budget.",
    "The committee met Mr Barroso in Strasbourg, and the vote was close.",
    "We have to speak with Kyiv about the energy we need.",
    "The report of Mr van Rompuy was read in the house today.",
    "I thank the committee, and I thank Mrs Ashton and the house.",
    "The budget of the committee was read, and the vote is today.",
)
TINY = """
[machine]
device = "cpu"
workers = 1
[download]
base_url = "URL"
years = [2009, 2010]
[entities]
common_words = 6
distractors = 20
[lm]
order = 2
prune = []
[lists]
kinds = ["rare", "names"]
sizes = [1, 2]
"""
Row = dict[str, str]


def row(session: str, number: int, split: str, text: str, vad: object, **other: str) -> Row:
    values = {
        "session_id": session, "id_": f"en_{session[:8]}-09:0{number}:00_{number}", "original_text": text,
        "normed_text": text.lower(), "speaker_id": f"s{number}", "start_time": "0", "end_time": "1", "split": split,
        "gender": ("female", "male")[number % 2], "vad": repr(vad), "is_gold_transcript": "True", "accent": "None",
    }  # fmt: skip
    return values | other


def annotation_file(rows: list[Row], extra: str = "") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, delimiter="|", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress((out.getvalue() + extra).encode())


def release() -> dict[str, bytes]:
    """The paths of dl.fbaipublicfiles.com/voxpopuli, as far as the recipe takes them."""
    sessions = ("20090112-0900-PLENARY-3", "20100113-0900-PLENARY-7")
    audio = {
        name: {f"original/{name[:4]}/{name}_original.ogg": tones(i, 24.0, "OGG", "VORBIS")}
        for i, name in enumerate(sessions)
    }
    rows = []
    for session in sessions:
        for number, text in enumerate(TEXTS):
            split = "train" if number < 4 else ("dev", "test")[number - 4]
            start = 4.0 * number
            rows.append(row(session, number, split, text, [(start, start + 3.25), (start + 3.5, start + 4.0)]))
    bad = [
        row(sessions[0], 6, "train", "", [(0.0, 1.0)]),
        row(sessions[0], 7, "train", "No times here.", [(3.0, 2.0)]),
        row(sessions[0], 8, "train", "After the end.", [(900.0, 902.0)]),
        row(sessions[0], 9, "invalid", "Of no split.", [(0.0, 1.0)]),
        row("20091231-0900-PLENARY-1", 0, "train", "Of a session that is missing.", [(0.0, 1.0)]),
        row(sessions[0], 0, "train", "The same again.", [(0.0, 1.0)]),
        row(sessions[0], 5, "train", "Far too short.", [(0.0, 0.1)], id_="short"),
    ]
    accented = [row(sessions[0], 3, "test", TEXTS[3], [(1.0, 5.0)], accent="en_pl", normed_text="", id_="accented")]
    return {
        "/annotations/asr/asr_en.tsv.gz": annotation_file(rows + bad, 'lost|"quotation|mark\n'),
        "/annotations/asr/asr_en_accented.tsv.gz": annotation_file(accented),
        **{f"/audios/original_{name[:4]}.tar": tar_of(files) for name, files in audio.items()},
    }


@pytest.fixture
def server() -> Iterator[CorpusServer]:
    with serve(release()) as running:
        yield running


def recipe(server: CorpusServer, folder: Path, more: str = "") -> VoxPopuli:
    config = folder / "tiny.toml"
    config.write_text(TINY.replace("URL", server.url) + LEARNING + more)
    return VoxPopuli(folder / "work", Config(RECIPES / "voxpopuli" / "config.toml", config), QUICK)


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_all_stages_from_the_archives_to_the_table(
    server: CorpusServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every fault on the way; then everything again, which does nothing."""
    monkeypatch.setattr("asrbias.training.phonebank.HARDEST", math.inf)  # two updates teach nobody to hear
    work = tmp_path / "work"
    archive = "/audios/original_2009.tar"
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=150_000))
        with pytest.raises(DiskFullError, match=r"to be downloaded and unpacked takes .* make room for"):
            recipe(server, tmp_path).stages().run()
    assert not server.sent, "nothing is downloaded where it has no room"
    with monkeypatch.context() as full:
        full.setattr("corpus.unpack._write", no_space)
        with pytest.raises(DiskFullError, match=r"ran full during the unpacking of original_2009.tar; make room"):
            recipe(server, tmp_path).stages().run()
    server.cut_after[archive] = [5_000, 3_000]  # not asked for again: its bytes are there
    server.cut_after["/audios/original_2010.tar"] = [5_000, 3_000]
    wrong = f'[checksums]\n"original_2010.tar" = "sha256:{"0" * 64}"\n'
    with pytest.raises(DownloadError, match=r"original_2010.tar: its sha256 is .*, but was given 0000.*set aside"):
        recipe(server, tmp_path, wrong).stages().run()
    assert not (work / "done" / "download.json").exists() and not (work / "manifests").exists()
    recipe(server, tmp_path).stages().run()
    sent = dict(server.sent)
    twice = {"/audios/original_2010.tar"}  # what was set aside as wrong; of all else no byte comes twice
    assert sent == {path: len(data) * (1 + (path in twice)) for path, data in server.files.items()}

    table = (work / "results" / "table.md").read_text()
    assert "| test | rare | none |" in table and "| accented | names | own + 2 |" in table
    assert (work / "model" / "adapter.safetensors").is_file() and (work / "lm.npz").is_file()
    asked = len(server.requests)
    capsys.readouterr()
    recipe(server, tmp_path).stages().run()
    assert capsys.readouterr().err.count("nothing to do") == 7
    assert len(server.requests) == asked and server.sent == sent


def prepared(server: CorpusServer, folder: Path) -> Path:
    recipe(server, folder).stages().run(["download", "prepare"])
    return folder / "work"


def test_segments_are_the_stretches_of_the_recording(server: CorpusServer, tmp_path: Path) -> None:
    work = prepared(server, tmp_path)
    first = lines(work / "manifests" / "train.jsonl")[1]
    whole, _ = soundfile.read(work / "raw_audios/original/2009/20090112-0900-PLENARY-3_original.ogg", dtype="int16")
    cut, rate = soundfile.read(work / "manifests" / str(first["audio"]), dtype="int16")
    stretches = (whole[int(4.0 * RATE) : int(7.25 * RATE)], whole[int(7.5 * RATE) : int(8.0 * RATE)])
    assert rate == RATE and np.array_equal(cut, np.concatenate(stretches))
    assert first["id"] == "20090112-0900-PLENARY-3-en_20090112-09:01:00_1" and first["duration"] == 3.75


def test_many_processes_cut_as_one_does(server: CorpusServer, tmp_path: Path) -> None:
    work = prepared(server, tmp_path)
    segments, _ = read_annotations(work / "annotations" / "asr_en.tsv.gz")
    cuts = list(cut_all(segments, work / "raw_audios", tmp_path / "again", workers=2))
    assert {cut.id for cut in cuts} == {segment.id for segment in segments}
    assert sum(not cut.wrong for cut in cuts) == 13
    for path in (tmp_path / "again").rglob("*.flac"):
        earlier = work / "segments" / path.relative_to(tmp_path / "again")
        assert not earlier.exists() or earlier.read_bytes() == path.read_bytes()  # one is too short for prepare


def test_the_command_line_says_what_is_wrong_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, message in (
        (
            ["fourth"],
            "There is no stage 'fourth'; the stages are download, prepare, lm, train, adapter, decode, score.",
        ),
        (["score"], "The stage score needs decode, which is not finished; run it first."),
        (["--again"], "--again needs the names of stages; what is to be made anew?"),
        (["--config", "absent.toml"], "absent.toml cannot be read (No such file or directory); give the recipe's"),
    ):
        monkeypatch.setattr(sys, "argv", ["run.py", str(tmp_path / "work"), *given])
        assert main(make, "about") == 2
        assert capsys.readouterr().err.startswith(message)


def test_manifests_have_entities_and_what_scores_group_by(server: CorpusServer, tmp_path: Path) -> None:
    work = prepared(server, tmp_path)
    splits = {name: lines(work / "manifests" / f"{name}.jsonl") for name in ("train", "dev", "test", "accented")}
    assert [len(rows) for rows in splits.values()] == [8, 2, 2, 1]
    dev, accented = splits["dev"][0], splits["accented"][0]
    assert dev["text"] == "i thank the committee and i thank missus ashton and the house"
    assert dev["names"] == ["Ashton"] and set(dev["entities"]) >= {"Ashton"}  # type: ignore[call-overload]
    assert accented["names"] == ["van Rompuy"] or accented["names"] == ["Rompuy"]
    assert (accented["accent"], accented["gender"], dev["accent"]) == ("en_pl", "male", "None")
    spoken = {phrase for name in ("dev", "test", "accented") for line in splits[name] for phrase in line["rare"]}  # type: ignore[attr-defined]
    offered = (work / "manifests" / "distractors-rare.txt").read_text().split()
    assert offered and not set(offered) & spoken


def test_unusable_lines_are_counted_and_named(
    server: CorpusServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = prepared(server, tmp_path)
    whys = [str(line["why"]) for line in lines(work / "manifests" / "unusable.jsonl")]
    for expected in (
        "it has no text", "its vad", "beyond the end of its recording", "its split 'invalid'", "there is no recording",
        "its id is that of an earlier line", "0.10 s are not 0.2 to 30 s", "it has 2 columns, not 12",
    ):  # fmt: skip
        assert sum(expected in why for why in whys) == 1, expected
    assert len(whys) == 8
    assert "8 lines left out" in capsys.readouterr().err


def test_a_stray_quotation_mark_costs_one_line(tmp_path: Path) -> None:
    good = row("20090112-0900-PLENARY-3", 1, "train", 'He said "no", and "no" again.', [(0.0, 1.0)])
    path = tmp_path / "asr_en.tsv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(annotation_file([])) + b'a|"b|c\n' + _body([good])))
    segments, unusable = read_annotations(path)
    assert [segment.original for segment in segments] == ['He said "no", and "no" again.'] and len(unusable) == 1


def _body(rows: list[Row]) -> bytes:
    return gzip.decompress(annotation_file(rows)).split(b"\n", 1)[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", "cannot be read .*download it anew"),
        (gzip.compress(b"id\ttext\n"), "has no column 'session_id' .*official release"),
        (annotation_file([])[:-9], "cannot be read .*download it anew"),
    ],
)
def test_an_annotation_file_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.tsv.gz").write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        read_annotations(tmp_path / "a.tsv.gz")


def test_names_are_capitalised_runs_inside_sentences() -> None:
    def names(original: str, text: str) -> list[str]:
        return names_in(original, text, frozenset("the european union of and said i mister".split()))

    text = "today mister van rompuy of the european union met josé manuel barroso in kyiv thanks said ashton"
    original = "Today Mr van Rompuy, of the European Union, met José Manuel Barroso in Kyiv. Thanks, said Ashton."
    assert names(original, text.replace("josé", "jose")) == ["van Rompuy", "José Manuel Barroso", "Kyiv", "Ashton"]
    assert rare_words("the union met kyiv kyiv", frozenset(["the", "met"])) == ["union", "kyiv"]


def test_settings_that_are_none(tmp_path: Path, server: CorpusServer) -> None:
    with pytest.raises(RecipeError, match=r"has a table \[lsm\]; the tables are adapter, bank"):
        recipe(server, tmp_path, "[lsm]\norder = 3\n")
    (tmp_path / "odd.toml").write_text("[download]\nyear = [2009]\n")
    odd = Config(RECIPES / "voxpopuli" / "config.toml", tmp_path / "odd.toml")
    with pytest.raises(RecipeError, match=r"\[download\] has 'year'; its settings are base_url, keep_archives"):
        VoxPopuli(tmp_path, odd)


def test_many_gpus_share_out_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def run(command: list[str]) -> SimpleNamespace:
        called.append(command)
        return SimpleNamespace(returncode=len(called) - 1)

    monkeypatch.setattr("corpus.commands.subprocess.run", run)
    options = {
        "seconds": 2400.0,
        "text-seconds": 1200.0,
        "apart": True,
        "subword-layers": [6, 12],
        "short-first": False,
    }
    train(Machine(processes=8, workers=4), options, "--output", "base")
    assert (
        called[0][1:]
        == (
            "-m torch.distributed.run --standalone --nproc-per-node 8 -m asrbias train --output base --seconds 300.0 "
            "--text-seconds 150.0 --apart --subword-layers 6 12 --device cuda --workers 4"
        ).split()
    )
    with pytest.raises(RecipeError, match="failed with status 1"):
        train(Machine(processes=2), {})
