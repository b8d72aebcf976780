"""Wrong input, as users give it: one sentence, what was wrong and what to do; nothing is ignored in silence."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asrbias
from asrbias.cli import main
from asrbias.entities import Entity, EntityError
from asrbias.errors import sentence
from asrbias.files import write_whole
from asrbias.joint import JointDecoder, JointOptions
from asrbias.lm import estimate
from asrbias.loading import MODELS
from asrbias.score_results import ScoreInputError
from asrbias.tokens import Vocabulary, VocabularyError
from asrbias.training.shards import read_shard

DEMO = Path(__file__).resolve().parents[1] / "recipes" / "starter" / "demo"
NAN = float("nan")


def refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that fails says, in one sentence."""
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"asrbias {command.split()[0]}: ") and said.count("\n") == 1, said
    assert "Errno" not in said and "' object" not in said
    return said


# --- what the system refuses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "a.txt cannot be written: the disk is full; make room"),
        (errno.EACCES, "permission denied"),
        (errno.EISDIR, "a.txt is a folder; name a file."),
        (errno.EIO, "a.txt cannot be used (Input/output error); check the path."),
    ],
)
def test_what_the_system_refuses_is_a_sentence(number: int, says: str) -> None:
    assert says in sentence(OSError(number, os.strerror(number), "a.txt"))
    assert sentence(ValueError("two\n lines")) == "two lines"


def test_writing_leaves_the_old_file_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as failed:
        write_whole(path, b"new")
    assert sentence(failed.value).startswith(f"{path} cannot be written: the disk is full")
    assert path.read_text() == "old" and [*tmp_path.iterdir()] == [path]


def test_what_is_no_ordinary_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, b"text")
    assert os.read(reader, 10) == b"text" and pipe.is_fifo()
    os.close(reader)
    link.symlink_to(target)
    write_whole(link, b"text")
    assert link.is_symlink() and target.read_bytes() == b"text"
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"text")


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("".join(f"name{n}\n" for n in range(5000)))
    command = f"{sys.executable} -m asrbias entities names.txt | head -n 1"
    run = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("entity") and run.stderr == ""


# --- score --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda s: s(None, None), "references is NoneType; give a list of texts"),
        (lambda s: s(["a"], 5), "hypotheses is int; give a list of texts"),
        (lambda s: s(["a"], [None]), "hypotheses: '1' is None; each is a text"),
        (lambda s: s({"x": "a"}, {"x": b"a"}), "hypotheses: 'x' is b'a'"),
        (lambda s: s(["a"], ["a"], entities=[[1]]), "1 is no phrase"),
        (lambda s: s(["a"], ["a"], entities=5), "entities is int; give a list of phrases"),
        (lambda s: s(["a"], ["a"], lists={"2": ["a"]}), "lists has the id '2', which no reference has"),
        (lambda s: s(["a"], ["a"], durations=[1, 2]), "2 durations for 1 utterances"),
        (lambda s: s(["a"], ["a"], durations=["x"]), "The duration of '1' is 'x'"),
        (lambda s: s(["a"], ["a"], durations=[NAN]), "The duration of '1' is nan"),
    ],
)
def test_score_refuses_in_one_sentence(call: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(ScoreInputError) as failed:
        call(asrbias.score)
    assert says in str(failed.value)


LINE: dict[str, Any] = {"id": "1", "text": "we met in Kyiv", "hypothesis": "we met in Kyiv", "entities": ["Kyiv"]}


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("row", "options", "says"),
    [
        ({"list": "none.txt"}, "", "none.txt does not exist"),
        ({}, "--baseline none.jsonl", "none.jsonl does not exist"),
        ({}, "--seen .", ". is a folder"),
        ({}, "--html .", ". is a folder"),
        ({}, "--utterances out.jsonl/x", "out.jsonl is a file where a folder is needed"),
        ({}, "--resamples 1000000000000", "are too many"),
        ({}, "--resamples 100 --seed -1", "The seed is -1"),
        ({}, "--resample-by speaker", "give --resamples N or --baseline too"),
        ({}, "--bonus nan", "--bonus is 'nan'"),
        ({}, "--format kaldi", "--format is kaldi, but out.jsonl is jsonl"),
    ],
)
def test_score_command(
    row: dict[str, Any], options: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "out.jsonl", LINE | row)
    assert says in refused(f"score out.jsonl {options}", capsys)


def test_score_takes_what_transcribe_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers as ids; names in their display form; recordings that failed are told of."""
    listed = {"list": [{"phrase": "Keev", "display": "Kyiv"}, "Paris"]}
    failed = LINE | {"id": 2, "hypothesis": "", "error": "none.wav does not exist"}
    wrong = LINE | listed | {"id": 7, "hypothesis": "we met in Paris"}
    path = write(tmp_path / "out.jsonl", wrong, LINE | listed, failed)
    assert main(["score", path, "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["entities"]["hits"] == 1 and scored["entities"]["false_hits"] == 1
    assert any(note.startswith("1 recordings could not be transcribed") for note in scored["notes"])
    result = asrbias.score(["we met in Kyiv"], ["we met in Kyiv"], entities=[Entity("Keev", display="Kyiv")])
    assert result.totals.entities.recall == 100.0


# --- manifests ----------------------------------------------------------------------------------------------------

needs_starter = pytest.mark.skipif(not (MODELS / "starter").is_dir(), reason="the starter is not in this checkout")
OK: dict[str, Any] = {"id": "1", "audio": "a.flac"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one recording."""
    shutil.copy(DEMO / "cities.flac", tmp_path / "a.flac")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "output", "says"),
    [
        ({"id": [1]}, "o", "m.jsonl:2: the id is [1]; write text or a whole number."),
        ({"id": True}, "o", "m.jsonl:2: the id is True"),
        ({"id": "\ud800"}, "o", "m.jsonl:2 has half a character"),
        ({"id": "0"}, "o", "m.jsonl:2: the id '0' is that of line 1"),
        ({"list": "none.txt"}, "o", "m.jsonl:2: the list none.txt does not exist; check the path."),
        ({"list": [{"phrase": "x", "wieght": 2}]}, "o", "m.jsonl:2: Unknown field 'wieght'"),
        ({"entities": ["a" * 100_000]}, "o", "m.jsonl:2: An entity's phrase, 'aaaa"),
        ({}, ".", ". is a folder; name another output file."),
        ({}, "m.jsonl", "m.jsonl is the manifest; name another output file."),
        ({}, "/dev/null", "/dev/null is no ordinary file; name another output file."),
        ({}, "m.jsonl/x", "m.jsonl is a file where a folder is needed"),
    ],
)
def test_a_wrong_manifest_is_refused_before_the_first_recording(
    line: dict[str, Any], output: str, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "m.jsonl", OK | {"id": "0"}, OK | line)
    assert says in refused(f"transcribe --manifest m.jsonl --output {output}", capsys)


def test_bad_json_is_named_by_line_and_column(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "m.jsonl", *(OK | {"id": str(number), "text": "a"} for number in range(6)))
    with open(folder / "m.jsonl", "a") as file:
        file.write("{bad\n")
    for command in ("transcribe --manifest m.jsonl --output o", "pack m.jsonl o", "lm m.jsonl -o o.arpa"):
        assert "m.jsonl:7 is no JSON (column 2: " in refused(command, capsys)


@needs_starter
def test_a_manifest_says_what_it_could_not_use_and_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cyrillic = {"entities": ["Rotterdam", "Київ"]}
    failed = OK | {"id": 3, "audio": "none.flac"} | cyrillic
    lines = [OK, OK | {"id": 2} | cyrillic, failed]
    (folder / "m.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(map(json.dumps, lines)).encode())
    assert main(["transcribe", "--manifest", "m.jsonl", "--output", "out.jsonl"]) == 2
    said = capsys.readouterr().err
    assert said.count("not used") == 1 and "m.jsonl:2: not used: 'Київ': it cannot be written" in said
    assert "out.jsonl: 3 recordings, 1 of them with an `error` instead, the first 3: none.flac does not exist" in said
    assert [json.loads(row)["id"] for row in (folder / "out.jsonl").read_text().splitlines()] == ["1", 2, 3]


@needs_starter
def test_a_run_that_met_a_full_disk_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "m.jsonl", OK, OK | {"id": "2"})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert main(["transcribe", "--manifest", "m.jsonl", "--output", "out.jsonl"]) == 2
    assert "out.jsonl cannot be written: the disk is full" in capsys.readouterr().err
    assert not (folder / "out.jsonl").exists()
    assert main(["transcribe", "--manifest", "m.jsonl", "--output", "out.jsonl"]) == 0
    assert "going on after 2 of 2" in capsys.readouterr().err
    assert len((folder / "out.jsonl").read_text().splitlines()) == 2


# --- from Python --------------------------------------------------------------------------------------------------

DECODER = asrbias.Decoder(["_", " ", "a", "b"])
JOINT = JointDecoder(["_", " ", "a", "b"])
POSTERIORS = np.log(np.full((5, 4), 0.25))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: asrbias.Decoder(None), "labels must be a list of strings"),
        (lambda: asrbias.Decoder(5), "labels must be a list of strings"),
        (lambda: DECODER.compile(None), "compile takes an entity list, not None"),
        (lambda: DECODER.decode_batch(None), "log_probs is NoneType"),
        (lambda: DECODER.decode_batch([POSTERIORS], 5), "takes a list of entities for each item"),
        (lambda: JOINT.compile(None), "compile takes an entity list, not None"),
        (lambda: JOINT.decode_batch(None), "log_probs is None"),
        (lambda: JOINT.decode_batch([POSTERIORS], entities=5), "takes a list of entities"),
        (lambda: JOINT.decode_batch([POSTERIORS], adapted=5), "int was given in place of a list"),
        (lambda: JointDecoder(["_", " "], phones=None), "phones is None"),
        (lambda: asrbias.DecodeOptions(beam=10**9), "beam is 1000000000; it must be a whole number, 1 or more, up to"),
        (lambda: asrbias.load(bias=3), "bias is 3; it must be a factor, 0 to 2."),
        (lambda: asrbias.load(options=5), "options is int; give a RecognizeOptions."),
        (lambda: asrbias.load(decode={}), "decode is dict; give JointOptions, DecodeOptions"),
        (lambda: asrbias.load().posteriors(["a.flac"]), "Samples are str; give arrays [S]"),
        (lambda: asrbias.RecognizeOptions(threads=0), "threads is 0; it must be a whole number"),
        (lambda: asrbias.RecognizeOptions(batch_seconds=True), "batch_seconds is True"),
        (lambda: asrbias.EntityList.read(None), "A list is read from a path"),
        (lambda: Entity.from_fields(5), "An entity's fields are a mapping, not int 5"),
        (lambda: asrbias.LanguageModel.read(5), "read from a path (str or Path), not int"),
        (lambda: estimate(None), "sentences is one NoneType"),
        (lambda: estimate([5]), "A sentence is 5"),
        (lambda: estimate(["a"], order=2.5), "The order is 2.5"),
        (lambda: estimate(["a"], prune=5), "prune is 5"),
        (lambda: estimate(["a b"]).language_model().score(5), "The text is int 5"),
    ],
)
@needs_starter
@pytest.mark.filterwarnings("ignore:.*too little text")
def test_wrong_types_are_named(call: Callable[[], Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError)) as failed:
        call()
    assert says in str(failed.value) and "\n" not in str(failed.value)


@pytest.mark.filterwarnings("ignore:.*too little text")
def test_a_language_model_takes_any_text() -> None:
    model = estimate(["a b"]).language_model()
    assert model.score("\ud800 😀 \0") < 0 and 5 not in model


def test_a_book_in_a_list_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Kyiv\n" + "a" * 100_000)
    with pytest.raises(EntityError, match=r"names.txt, line 2: .* is 100000 characters long; at most 10000"):
        asrbias.EntityList.read(tmp_path / "names.txt")


def test_damaged_shards_and_vocabularies_are_named(tmp_path: Path) -> None:
    (tmp_path / "s.pcm").write_bytes(b"\0\0" * 5)
    for content, says in (
        (b"\xff\xfe", "s.jsonl:1 is no line of a shard"),
        (b'{"id": "a", "text": "x"}', "(no 'offset')"),
        (b'{"id": "a", "text": "x", "offset": -2, "samples": 1}', "lies beyond the end"),
        (b"5", "s.jsonl:1 is no line of a shard"),
    ):
        (tmp_path / "s.jsonl").write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(says)):
            list(read_shard(tmp_path / "s.jsonl"))
    (tmp_path / "tokens.model").write_bytes(b"garbage")
    with pytest.raises(VocabularyError, match=r"tokens\.model: This is no SentencePiece model"):
        Vocabulary.load(tmp_path)


@needs_starter
def test_weights_of_zero_and_below_are_not_ignored() -> None:
    """0 only shows, below 0 discourages: by the starter's joint decoding too, which looks for evidence of neither."""
    recognizer = asrbias.load()
    without = recognizer.transcribe(DEMO / "news.flac").text
    word = without.split()[0]
    shown = recognizer.transcribe(DEMO / "news.flac", [Entity(word, display="FIRST", weight=0)])
    assert shown.text == without.replace(word, "FIRST") and shown.words[0].entity is not None
    less = recognizer.transcribe(DEMO / "news.flac", [Entity(word, weight=-5), "Zelenskyy"])
    assert word not in less.text.split() and "Zelenskyy" in less.text


@needs_starter
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "o.json cannot be used (it is no JSON, column 1: Expecting value); correct it"),
        (b'{"decode":\n{bad', "(it is no JSON, line 2, column 2: "),
        (b"\xff\xfe", "(it is no UTF-8 text, byte 0)"),
        (b"[1]", "(it is a JSON list, not a JSON object)"),
        (b'{"decode": {"baem": 1}}', "('baem' is no option of decode; there are beam, "),
        (b'{"decode": {"bonus": NaN}}', "(bonus is nan; it must be nats per character, 0 to 1000)"),
        (b'{"lookup": {"threshold": "x"}}', "(threshold is 'x'"),
    ],
)
def test_options_in_a_file(content: bytes, says: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "o.json").write_bytes(content)
    assert says in refused("transcribe a.flac --options o.json", capsys)


@needs_starter
def test_brackets_in_names_are_no_markup(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "[red]x").mkdir()
    write(folder / "[red]x" / "m.jsonl", OK | {"audio": "../a.flac", "text": "a", "corpus": "[bold]c"})
    assert main(["pack", "[red]x/m.jsonl", "[red]x/shard", "--by", "corpus"]) == 0
    said = capsys.readouterr()
    assert "[red]x/m.jsonl" in said.err and "[red]x/shard-[bold]c.jsonl" in said.out
    assert "has no name" in refused("pack [red]x/m.jsonl ..", capsys)


def test_tables_cut_no_word_in_a_narrow_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = write(tmp_path / "out.jsonl", LINE | {"duration": 2.0, "list": ["Kyiv", "Paris"], "corpus": "[/x]"})
    assert main(["score", path, "--by", "corpus"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("precision", "utterances", "[/x]")) and max(map(len, shown.split("\n"))) <= 80


@needs_starter
def test_the_dial_alone_changes_nothing_else() -> None:
    """Not so `decode=DecodeOptions(bias=...)`, which takes nothing of what was tuned for the model."""
    tuned, dialled = asrbias.load().decoder, asrbias.load(bias=1.7).decoder
    assert isinstance(tuned, JointDecoder) and isinstance(dialled, JointDecoder)
    assert replace(dialled.options, decode=replace(dialled.options.decode, bias=1.0)) == tuned.options
    assert dialled.options.decode.bias == 1.7
    plain = asrbias.load(decode=asrbias.DecodeOptions(beam=7), bias=0.5).decoder
    assert isinstance(plain, JointDecoder)
    assert plain.options == JointOptions(decode=asrbias.DecodeOptions(beam=7, bias=0.5))


@needs_starter
@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("config.json", b"", "config.json cannot be read (it is no JSON, column 1: Expecting value)"),
        ("config.json", b"5", "config.json cannot be read (it is a JSON int, not a JSON object)"),
        ("config.json", b"{}", "config.json cannot be read (it has no 'format')"),
        ("adapter.json", b"\xff\xff", "adapter.json cannot be read (it is no UTF-8 text, byte 0)"),
        ("model.safetensors", None, "model.safetensors is missing; take it anew"),
        ("adapter.safetensors", None, "adapter.safetensors is missing; take it anew"),
        ("tokens.model", b"x", "tokens.model: This is no SentencePiece model; give"),
    ],
)
def test_a_damaged_model(
    file: str, content: bytes | None, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(MODELS / "starter", folder / "model")
    (folder / "model" / file).unlink()
    if content is not None:
        (folder / "model" / file).write_bytes(content)
    assert says in refused("transcribe a.flac --model model", capsys)
