"""`asrbias lm`: what it writes and says, and one sentence for bad input."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from asrbias.cli import main
from asrbias.lm import LanguageModel

pytestmark = pytest.mark.filterwarnings("ignore:.*too little text")


def files(folder: Path) -> tuple[Path, Path]:
    text, manifest = folder / "text.txt.gz", folder / "speech.jsonl"
    text.write_bytes(gzip.compress("The cat sat.\n\nThe dog sat on Dr. O’Neill.\n".encode()))
    rows = [{"id": 1, "audio": "a.wav", "text": "A cat, 3 dogs!"}, {"id": 2, "audio": "b.wav", "text": "The cat sat."}]
    manifest.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return text, manifest


def test_text_is_normalised_counted_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, manifest = files(tmp_path)
    output = tmp_path / "out" / "model.arpa.gz"
    assert main(["lm", str(text), str(manifest), "-o", str(output), "--order", "2", "--held-out", str(manifest)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{text}: 2 sentences, 9 words" and printed[1] == f"{manifest}: 2 sentences, 7 words"
    model = LanguageModel.read(output)
    assert set(model.words) == {
        *("<unk>", "<s>", "</s>", "the", "cat", "sat", "dog", "on", "doctor", "o'neill", "a", "three", "dogs")
    }
    assert printed[2].startswith(f"{output}: 13 1-grams, ") and "2-grams" in printed[2] and "MB" in printed[2]
    assert printed[3].startswith(f"{manifest}: 2 sentences, 7 words, 0.00 % unknown, perplexity ")
    assert printed[4].startswith(f"{manifest}: 2 of its sentences are in the text too")


def test_mixture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, manifest = files(tmp_path)
    output = tmp_path / "model.npz"
    assert main(["lm", str(text), str(manifest), "-o", str(output), "--mix", str(manifest)]) == 0
    printed = capsys.readouterr().out
    assert "weight" in printed and "all text" in printed
    assert LanguageModel.read(output).order == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.txt", "-o", "m.arpa"], "none.txt"),
        (["text.txt.gz", "-o", "m.bin"], "m.bin has no ending known"),
        (["text.txt.gz", "-o", "m.arpa", "--order", "9"], "The order is 9"),
        (["text.txt.gz", "-o", "m.arpa", "--prune", "1"], "prune is 1"),
        (["text.txt.gz", "-o", "m.arpa", "--vocabulary", "0"], "vocabulary is 0"),
        (["empty.txt", "-o", "m.arpa"], "empty.txt has no sentence"),
        (["latin.txt", "-o", "m.arpa"], "latin.txt is no UTF-8 text (byte 1)"),
        (["cut.txt.gz", "-o", "m.arpa"], "cut.txt.gz is named .gz and cannot be unzipped"),
        (["bad.jsonl", "-o", "m.arpa"], "bad.jsonl:2 is no JSON"),
        (["other.jsonl", "-o", "m.arpa"], "other.jsonl:1 has no `text`"),
        (["text.txt.gz", "-o", "m.arpa", "--held-out", "none.txt"], "none.txt"),
        (["text.txt.gz", "-o", "m.arpa", "--mix", "empty.txt"], "empty.txt has no sentence"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path)
    (tmp_path / "empty.txt").write_text("\n...\n")
    (tmp_path / "latin.txt").write_bytes(b"n\xe9")
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"some words")[:-9])
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\nb\n')
    (tmp_path / "other.jsonl").write_text('{"audio": "a.wav"}\n')
    monkeypatch.chdir(tmp_path)
    assert main(["lm", *arguments]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "too little text" not in line]
    assert len(errors) == 1 and says in errors[0] and errors[0].startswith("asrbias lm: ")
    assert not list(tmp_path.glob("m.*"))
