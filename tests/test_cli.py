"""The command line: contracts, and one sentence for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from asrbias.cli import COMMANDS, main
from asrbias.loading import MODELS

DEMO = Path(__file__).resolve().parents[1] / "recipes" / "starter" / "demo"
needs_starter = pytest.mark.skipif(
    not (MODELS / "starter").is_dir(), reason="the starter model is not in this checkout"
)


def test_import_is_quick_and_loads_no_torch() -> None:
    code = "import sys, time; s = time.perf_counter(); import asrbias; "
    code += "print(time.perf_counter() - s, 'torch' in sys.modules)"
    run = [sys.executable, "-c", code]
    printed = [subprocess.run(run, capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    assert min(float(seconds) for seconds, _ in printed) < 0.3, "the best of three, as other work may disturb"
    assert {torch for _, torch in printed} == {"False"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0 and "usage: asrbias" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["transcribe"], "Give recordings or --manifest"),
        (["transcribe", "a.wav", "--manifest", "m.jsonl"], "one of the two"),
        (["transcribe", "--manifest", "m.jsonl"], "--output go together"),
        (["transcribe", "--manifest", "m.jsonl", "--output", "o", "--json"], "--json, --format and --output-folder"),
        (["transcribe", "a.wav", "--model", "nonesuch"], "There is no model 'nonesuch'"),
        (["transcribe", "a.wav", "--entities", "nonesuch.txt"], "nonesuch.txt"),
        (["transcribe", "--manifest", "none.jsonl", "--output", "o.jsonl"], "none.jsonl"),
        (["entities", "nonesuch.txt"], "nonesuch.txt"),
        (["train", "--data", "none.jsonl", "--output", "x", "--tokens", "nowhere"], "nowhere"),
        (["pack", "none.jsonl", "x"], "none.jsonl"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert says in error and error.startswith(f"asrbias {arguments[0]}: ") and error.count("\n") == 1


def test_entities_reports_what_was_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "names.txt"
    path.write_text("Zelenskyy\nКиїв\n", encoding="utf-8")
    assert main(["entities", str(path)]) == 1
    printed = capsys.readouterr().out
    assert "Zelenskyy" in printed and "dropped" in printed


@needs_starter
def test_transcribe_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = tmp_path / "names.txt"
    names.write_text("Montevideo\nRotterdam\nCasablanca\n")
    assert main(["transcribe", str(DEMO / "cities.flac"), "--entities", str(names), "--json", "--bonus", "2.5"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert {"audio", "text", "words", "nbest", "duration"} <= set(row)
    assert any(word["entity"] == "Rotterdam" for word in row["words"])


@needs_starter
def test_what_is_not_used_of_a_list_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = tmp_path / "names.txt"
    names.write_bytes("Montevideo\nКиїв\n".encode())
    assert main(["transcribe", str(DEMO / "cities.flac"), "--entities", str(names)]) == 0
    error = capsys.readouterr().err
    assert error.count("Київ") == 1 and error.startswith("not used: 'Київ': ") and error.count("\n") == 1
    names.write_text("")
    assert main(["transcribe", str(DEMO / "cities.flac"), "--entities", str(names)]) == 0
    assert "has no entities" in capsys.readouterr().err


@needs_starter
def test_one_bad_file_does_not_lose_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "text.wav"
    bad.write_text("only words")
    assert main(["transcribe", str(bad), str(DEMO / "cities.flac")]) == 2
    printed = capsys.readouterr()
    assert "cannot be read as audio" in printed.err and "cities.flac" in printed.out
