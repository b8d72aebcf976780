"""Wrong input, as users give it: one sentence, what was wrong and what to do; nothing is ignored in silence."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import asrbias
from asrbias.cli import main
from asrbias.entities import Entity
from asrbias.errors import sentence
from asrbias.files import write_whole
from asrbias.score_results import ScoreInputError

NAN = float("nan")


def refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that fails says, in one sentence."""
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"asrbias {command.split()[0]}: ") and said.count("\n") == 1, said
    assert "Errno" not in said and "object" not in said
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
