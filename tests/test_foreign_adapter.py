"""Adapters on models of others: tiny frozen ones with random weights learn three names from made-up signals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import asrbias
from asrbias.adapter_files import checksum, load_adapter
from asrbias.cli import main
from asrbias.foreign import ForeignModel, ForeignModelError, load_foreign
from asrbias.foreign_adapting import LooksIndex, new_adapter, opened, use_adapter
from asrbias.foreign_letters import Letters
from asrbias.foreign_torch import TorchInside
from asrbias.foreign_torchaudio import from_torchaudio
from asrbias.manifestlines import ManifestError
from asrbias.model import ModelError
from asrbias.training.adapterrun import AdapterTrainOptions
from asrbias.training.lists import ListOptions
from asrbias.training.recorded import RecordedTrainer, read_spoken
from tests.foreign_folders import CHARACTERS, FAMILIES, save_family, torchaudio_module

NAMES = ["Kyiv", "Odesa", "Lviv"]
RATE = 16_000


def sound(name: str) -> np.ndarray:
    """A tone for each letter, an eighth of a second each, with noise in it and around."""
    time = np.arange(RATE // 8) / RATE
    tones = [np.sin(2 * np.pi * (200 + 120 * (ord(letter) - ord("a"))) * time) for letter in name.lower()]
    wave = np.concatenate([0 * time, *tones, 0 * time])
    return (0.3 * wave + np.random.default_rng(len(name)).normal(scale=0.01, size=len(wave))).astype(np.float32)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = []
    for name in NAMES:
        soundfile.write(tmp_path / f"{name}.wav", sound(name), RATE)
        rows.append({"audio": f"{name}.wav", "text": name})
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def options(steps: int, **other: Any) -> AdapterTrainOptions:
    lists = ListOptions(others=3, hard=0, hard_rare=0, dropped=0.0)
    return AdapterTrainOptions(
        **{
            "steps": steps, "rate": 3e-3, "warmup": 5, "decay": 0.3, "average": 0.9, "forced": 0.3, "lists": lists,
            "report_every": 1000, "save_every": 1000, "evaluate_every": 1000, **other,
        }
    )  # fmt: skip


def trained(model: ForeignModel, manifest: Path, output: Path, steps: int, **other: Any) -> RecordedTrainer:
    torch.manual_seed(0)
    adapter = new_adapter(model, dim=64, heads=2, layers=1, query_layers=1)
    return RecordedTrainer(model, manifest, output, options(steps, **other), adapter=adapter, quiet=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_frozen_model_of_each_family_learns_three_names(tmp_path: Path, manifest: Path, family: str) -> None:
    folder = save_family(family, tmp_path / family)
    model = load_foreign(f"hf:{folder}", "cpu")
    before = checksum(opened(model).module)
    trained(model, manifest, tmp_path / "adapter", 400).run()
    assert checksum(opened(model).module) == before
    assert all(one.grad is None for one in opened(model).module.parameters())
    check(asrbias.load(f"hf:{folder}"), asrbias.load(f"hf:{folder}", adapter=tmp_path / "adapter"), tmp_path)


def check(plain: asrbias.Recognizer, told: asrbias.Recognizer, folder: Path) -> None:
    """With the list the names are written, without one nothing differs."""
    assert "contextual adapter: on" in told.describe() and "contextual adapter: off: none was given" in plain.describe()
    for name in NAMES:
        wave = told.samples(folder / f"{name}.wav")
        mine, base = told.posteriors([wave])[0], plain.posteriors([wave])[0]
        assert np.array_equal(mine.log_probs, base.log_probs)
        assert told.transcribe(wave).text == plain.transcribe(wave).text != name.lower()
        assert told.transcribe(wave, NAMES).text == name


def torchaudio_model() -> ForeignModel:
    return from_torchaudio(torchaudio_module(), ["-", *CHARACTERS[1:]], RATE, name="torchaudio:TINY")


def test_a_torchaudio_model_learns_three_names(tmp_path: Path, manifest: Path) -> None:
    trained(torchaudio_model(), manifest, tmp_path / "adapter", 400).run()
    model = torchaudio_model()
    use_adapter(model, tmp_path / "adapter")
    check(asrbias.Recognizer(torchaudio_model()), asrbias.Recognizer(model), tmp_path)


def test_a_run_goes_on_and_an_adapter_knows_its_base(tmp_path: Path, manifest: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(torchaudio_model(), manifest, whole, 6).run()
    first = trained(torchaudio_model(), manifest, parts, 6)
    for batch, _ in zip(first._batches(), range(4), strict=False):
        first._update(batch)
        first.progress.step += 1
    first._save()
    again = trained(torchaudio_model(), manifest, parts, 6)
    assert again.progress.step == 4
    again.run()
    one, other = load_adapter(whole).state_dict(), load_adapter(parts).state_dict()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    model = torchaudio_model()
    with torch.no_grad():
        next(opened(model).module.parameters()).add_(1e-3)
    with pytest.raises(ModelError, match=r"another model \(torchaudio:TINY\) than .* or to other weights"):
        use_adapter(model, whole)
    head = again.inside.head
    assert isinstance(head, torch.nn.Linear)
    head.weight.grad = torch.ones_like(head.weight)
    with pytest.raises(RuntimeError, match="frozen"):
        again._save()


def test_models_that_show_posteriors_alone(tmp_path: Path, manifest: Path) -> None:
    labels = ["<pad>", "|", *"abcdefghijklmnopqrstuvwxyz"]
    model = ForeignModel(lambda samples: np.zeros((len(samples) // 320, len(labels))), labels)
    with pytest.raises(ForeignModelError, match="an adapter needs the hidden states of a torch model"):
        RecordedTrainer(model, manifest, tmp_path / "adapter", options(1), quiet=True)
    with pytest.raises(ForeignModelError, match="nothing but posteriors"):
        use_adapter(model, tmp_path)
    said = asrbias.Recognizer(model).describe()
    assert "contextual adapter: off: the model shows nothing but posteriors" in said
    inside = opened(torchaudio_model())
    turned = TorchInside(inside.module, lambda samples: -inside.heard(samples)[0], "it")
    with pytest.raises(ForeignModelError, match="it does something after its head"):
        _ = turned.sizes


def test_manifests_to_learn_from(tmp_path: Path, manifest: Path) -> None:
    letters = Letters.of(CHARACTERS, 0)
    rows = [{"audio": "Kyiv.wav", "text": "to Kyiv", "entities": ["The Gate"], "id": "x"}, {"audio": "Kyiv.wav"}]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spoken, listed, left = read_spoken(manifest, letters)
    assert [one.words for one in spoken] == [("to", "kyiv")] and left == ["no text"] and listed == {"the", "gate"}
    assert "".join(CHARACTERS[token] for token in spoken[0].tokens) == "TO|KYIV"
    assert spoken[0].places == ((0, 2), (3, 7))
    manifest.write_text(json.dumps(rows[1]) + "\n")
    with pytest.raises(ManifestError, match=r"no line to learn from \(no text\)"):
        read_spoken(manifest, letters)


def test_letters_of_characters_and_of_pieces() -> None:
    letters = Letters.of(CHARACTERS, 0)
    assert letters.letters[:3] == ("'", "a", "b") and not letters.pieces
    size = len(CHARACTERS)
    assert letters.row("ab c", 48) == (size + 2, size + 3, size + 4) and letters.row("a-b", 48) == ()
    pieces = Letters.of(["▁new", "▁", "n", "e", "w", "▁york", "▁ne", "<blk>"], 7)
    assert pieces.segment("new york") == (0, 5) and pieces.segment("ne") == (6,) and pieces.segment("x") is None
    assert pieces.row("new", 48)[0] == 7, "label 0 takes the blank's number, for 0 is padding"
    frame = np.log(np.full((1, 8), 1e-6, np.float32))
    frame[0, 0] = np.log(0.9)
    heard = np.exp(pieces.heard(frame))[0]
    assert heard[[1 + pieces.letters.index(letter) for letter in "new"]] == pytest.approx(0.9, abs=1e-4)
    assert heard[1 + pieces.letters.index("k")] < 1e-4 and pieces.text(frame) == "new"


def test_a_long_list_is_shortened_by_its_looks() -> None:
    letters = Letters.of(CHARACTERS, 0)
    log_probs = np.full((9, len(CHARACTERS)), -9.0, np.float32)
    log_probs[np.arange(9), [CHARACTERS.index(letter) for letter in "TO|ODESSA"]] = 0.0
    index = LooksIndex({3: "kyiv", 5: "odesa", 8: "ottawa"}, letters)
    assert index.choose(log_probs, most=1) == (5,) and set(index.choose(log_probs, most=3)) == {3, 5, 8}


def test_the_command_line_trains_and_uses_an_adapter(
    tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = save_family("wav2vec2", tmp_path / "model"), tmp_path / "adapter"
    given = ["train", "adapter", f"hf:{folder}", "--manifest", str(manifest), "--output", str(output)]
    assert main([*given, "--steps", "2", "--dim", "16", "--others", "2"]) == 0
    assert "holds the adapter" in capsys.readouterr().out
    audio, use = str(tmp_path / "Kyiv.wav"), ["--model", f"hf:{folder}", "--adapter", str(output)]
    assert main(["transcribe", audio, *use]) == 0
    assert main(["transcribe", audio, "--adapter", str(output)]) == 2
    assert "belongs to another model" in capsys.readouterr().err
    assert main(["train", "adapter", f"hf:{folder}", "--sentences", "a.txt", "--output", str(output)]) == 2
    assert "learns from recordings with transcripts" in capsys.readouterr().err
