"""Base training on toy speech (a tone a letter): it learns, and a killed run goes on exactly."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asrbias.cli import main
from asrbias.encoder import EncoderConfig
from asrbias.features import FeatureOptions, LogMel
from asrbias.model import load_model
from asrbias.tokens import Vocabulary
from asrbias.training.augment import AugmentOptions, SpecAugmentOptions, augment, spec_augment, warp_bands
from asrbias.training.base import TrainOptions, rate_at, train_base
from asrbias.training.checkpoint import last_weights
from asrbias.training.data import BatchDataset, BatchOptions, Source, plan_epoch, read_examples
from asrbias.training.optimizer import OptimizerName
from asrbias.training.pack import pack
from asrbias.training.shards import ShardReader, read_shard, write_shard

LETTERS = Vocabulary.from_characters(" 'abcdefghijklmnopqrstuvwxyz")
CONFIG = EncoderConfig(
    vocabulary=29, dim=32, layers=2, heads=2, kernel=3, subword_layers=(1,), phone_layer=1, stem_channels=4
)
PLAIN = TrainOptions(
    steps=6, rate=2e-3, warmup=2, workers=0, evaluate_every=1_000, save_every=3, report_every=1,
    batches=BatchOptions(seconds=4.0), augment=AugmentOptions(speeds=(100,), room=0, colour=0, noise=0.5),
)  # fmt: skip


def speak(text: str) -> np.ndarray:
    """Each letter a tone of 0.12 s with a pause after it."""
    time = np.arange(1_920) / 16_000
    tones = [np.sin(2 * np.pi * (300 + 200 * (ord(letter) - 97)) * time) for letter in text]
    return (8_000 * np.concatenate([np.concatenate([tone, np.zeros(960)]) for tone in tones])).astype(np.int16)


@pytest.fixture
def shard(tmp_path: Path) -> Source:
    texts = ["abba", "cab", "bac", "acca", "baab", "cbc", "abc", "cc"]
    write_shard(tmp_path / "toy", (({"id": t, "text": t, "corpus": "toy"}, speak(t)) for t in texts))
    return Source.parse(str(tmp_path / "*.jsonl"))


def test_shards_round_trip_and_name_what_is_missing(shard: Source, tmp_path: Path) -> None:
    utterances = list(read_shard(shard.paths[0]))
    assert [u.text for u in utterances][:2] == ["abba", "cab"]
    examples = read_examples(shard, LETTERS)[0]
    audio = BatchDataset([examples], None, 0)[0].audio
    np.testing.assert_allclose(audio[0, : utterances[0].samples], speak("abba") / 32768, atol=1e-6)
    (tmp_path / "toy.pcm").write_bytes(b"12")
    with pytest.raises(ValueError, match="beyond the end"):
        list(read_shard(shard.paths[0]))
    with pytest.raises(FileNotFoundError, match="No shard matches"):
        Source.parse(str(tmp_path / "none*.jsonl"))


@pytest.mark.parametrize("line", ["no json", "[]", '{"id": "a", "offset": 0, "samples": 1}'])
def test_what_is_no_shard_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.pcm").write_bytes(bytes(10))
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match=r"a\.jsonl:1 is no line of a shard"):
        list(read_shard(tmp_path / "a.jsonl"))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = []
    for number, text in enumerate(["abba", "cab", "bac"]):
        soundfile.write(tmp_path / f"{number}.wav", speak(text), 16_000)
        version = ("v1.0", "v1.1", "v1.1")[number]
        rows.append({"id": number, "audio": f"{number}.wav", "text": text, "corpus": version})
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "in.jsonl"


def test_packing_keeps_samples_texts_and_values_apart(manifest: Path, tmp_path: Path) -> None:
    written = pack(manifest, tmp_path / "set", by="corpus")
    assert [path.name for path in written] == ["set-v1.0", "set-v1.1"], "a dot in a name is no ending"
    first, second = (list(read_shard(path.with_name(path.name + ".jsonl"))) for path in written)
    assert [u.text for u in first] == ["abba"] and [u.text for u in second] == ["cab", "bac"]
    assert [u.id for u in second] == ["1", "2"] and second[0].corpus == "v1.1"
    np.testing.assert_allclose(ShardReader().read(second[1]), speak("bac"), atol=1)


def test_packing_refuses_what_training_could_not_use(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="overwrite the manifest"):
        pack(manifest, tmp_path / "in")
    with pytest.raises(ValueError, match=r"the field 'corpsu'; the fields are audio, corpus, id, text\."):
        pack(manifest, tmp_path / "set", by="corpsu")
    (tmp_path / "2.wav").write_bytes(b"no audio")
    with pytest.raises(ValueError, match=r"in\.jsonl:3: .*cannot be read as audio"):
        pack(manifest, tmp_path / "set")
    assert not list(tmp_path.glob("set*")), "nothing half-written stays"
    manifest.write_text('{"audio": "0.wav"}\n')
    with pytest.raises(ValueError, match=r"in\.jsonl:1 has no `text`"):
        pack(manifest, tmp_path / "set")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--init m --dim 8", "--dim: the model of --init has its sizes"),
        ("--tokens t --init-last", "--init-last needs --init"),
        ("--tokens t --steps 0", "--steps is 0; give a number above 0"),
        ("--tokens t --noise 1.5", "--noise is 1.5; give a number from 0 to 1"),
        ("--tokens t --rate nan", "--rate is nan"),
        ("--tokens t --threads 0", "--threads is 0"),
        ("--tokens t --phone-layer 0", "layer 0 is outside 1..12"),
        ("--tokens t --data SHARD=inf", "weight of .* is inf"),
        ("--tokens t --data SHARD=-1", "weight of .* is -1"),
        ("--tokens t --dev SHARD=0.5", "has a weight"),
        ("--tokens t --output SHARD", "is a file; name a folder"),
    ],
)
def test_training_arguments_are_used_or_refused(
    shard: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str, says: str
) -> None:
    LETTERS.save(tmp_path / "t")
    path = str(shard.paths[0])
    given = arguments.replace("SHARD", path).replace("--tokens t", f"--tokens {tmp_path / 't'}").split()
    assert main(["train", "--data", path, "--output", str(tmp_path / "run"), *given]) == 2
    error = capsys.readouterr().err
    assert re.search(says, error) and error.count("\n") == 1


def test_an_epoch_holds_each_utterance_once_and_fills_batches(shard: Source) -> None:
    examples = read_examples(shard, LETTERS)[0]
    plan = plan_epoch([(examples, 1.0)], PLAIN.batches, seed=1, epoch=0)
    assert sorted(e.text for batch in plan for e in batch) == sorted(e.text for e in examples)
    assert all(max(e.utterance.samples for e in b) * len(b) <= 4.0 * 16_000 for b in plan)
    assert len(plan_epoch([(examples, 1.5)], replace(PLAIN.batches, seconds=0.01), seed=1, epoch=0)) == 12
    assert plan == plan_epoch([(examples, 1.0)], PLAIN.batches, seed=1, epoch=0)
    assert plan != plan_epoch([(examples, 1.0)], PLAIN.batches, seed=1, epoch=1)


def test_rate_rises_stays_and_falls() -> None:
    options = TrainOptions(steps=100, rate=1.0, warmup=10, decay=0.2)
    assert [round(rate_at(step, options), 3) for step in (0, 9, 50, 80, 90, 99)] == [0.1, 1.0, 1.0, 1.0, 0.5, 0.05]


def test_training_learns_the_toy(shard: Source, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = replace(PLAIN, steps=150, rate=4e-3, warmup=20, evaluate_every=150, average=0.9)
    train_base([shard], shard, tmp_path / "run", options, config=CONFIG, vocabulary=LETTERS)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [row["last"] for row in rows if "last" in row]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert "toy" in rows[-1]["dev"]["wer"] and load_model(tmp_path / "run").encoder.config == CONFIG


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_killed_run_goes_on_exactly(shard: Source, tmp_path: Path, optimizer: OptimizerName) -> None:
    options = replace(PLAIN, optimizer=optimizer, dropout=0.1, layer_drop=0.3)  # what is dropped goes on too
    train_base([shard], None, tmp_path / "whole", options, config=CONFIG, vocabulary=LETTERS)

    class Killed(Exception):
        pass

    from asrbias.training import base

    trained = base.BaseTrainer._update

    def dies(self: base.BaseTrainer, batch: base.Batch) -> dict[str, float]:
        if self.progress.step == 5:
            raise Killed
        return trained(self, batch)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(base.BaseTrainer, "_update", dies)
        train_base([shard], None, tmp_path / "cut", options, config=CONFIG, vocabulary=LETTERS)
    train_base([shard], None, tmp_path / "cut", options, config=CONFIG, vocabulary=LETTERS)
    whole, cut = last_weights(tmp_path / "whole"), last_weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    with pytest.raises(ValueError, match=r"other settings \(rate: 0.002 -> 0.1\)"):
        train_base([shard], None, tmp_path / "cut", replace(options, rate=0.1), config=CONFIG, vocabulary=LETTERS)


def test_a_model_that_goes_on_is_trained_as_a_new_one(
    shard: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asrbias.training import base

    train_base([shard], None, tmp_path / "first", PLAIN, config=CONFIG, vocabulary=LETTERS)
    modes = []
    update = base.BaseTrainer._update

    def watched(self: base.BaseTrainer, batch: base.Batch) -> dict[str, float]:
        modes.append(self.model.training)
        return update(self, batch)

    monkeypatch.setattr(base.BaseTrainer, "_update", watched)
    train_base([shard], None, tmp_path / "next", replace(PLAIN, steps=2), init=tmp_path / "first")
    assert modes == [True, True]


def test_a_run_in_two_parts_is_the_run_in_one(shard: Source, tmp_path: Path) -> None:
    train_base([shard], None, tmp_path / "one", PLAIN, config=CONFIG, vocabulary=LETTERS)
    train_base([shard], None, tmp_path / "two", replace(PLAIN, stop_at=4), config=CONFIG, vocabulary=LETTERS)
    half = last_weights(tmp_path / "two")
    train_base([shard], None, tmp_path / "two", PLAIN, config=CONFIG, vocabulary=LETTERS)
    one, two = last_weights(tmp_path / "one"), last_weights(tmp_path / "two")
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(half[name], two[name]) for name in half)


def test_augmentation_keeps_speech_and_is_repeatable() -> None:
    wave = speak("abcabc").astype(np.float32) / 32768
    one, two = (augment(wave, AugmentOptions(), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    slow = augment(wave, AugmentOptions(speeds=(90,), room=0, colour=0, noise=0), np.random.default_rng(0))
    assert len(slow) == pytest.approx(len(wave) / 0.9, abs=2) and np.isfinite(slow).all() and np.abs(slow).max() <= 0.9


def test_spec_augment_masks_within_each_item() -> None:
    features = torch.ones(2, 100, 80)
    masked = spec_augment(features, torch.tensor([100, 20]), SpecAugmentOptions(), torch.Generator().manual_seed(0))
    assert 0.5 < masked.mean() < 1.0
    assert set(masked.unique().tolist()) == {0.0, 1.0}
    options = SpecAugmentOptions(frequency_masks=0, time_masks=20)
    masked = spec_augment(features, torch.tensor([100, 20]), options, torch.Generator().manual_seed(0))
    assert (masked[1, :20] == 0).any() and (masked[1, 20:] == 1).all(), "no mask lies in the padding"


def test_warping_moves_a_formant_by_its_share_and_keeps_frames() -> None:
    options = FeatureOptions()
    tone = torch.sin(2 * math.pi * 2000 * torch.arange(16_000) / 16_000)[None].repeat(200, 1) * 0.1
    spectrum = torch.stft(tone, 512, 160, 400, torch.hann_window(400), return_complex=True)
    mel = torch.log(spectrum.abs().square().transpose(1, 2) @ LogMel(options).bank + 1e-8)
    warped = warp_bands(mel, SpecAugmentOptions(warp=0.1), options.low, options.high, torch.Generator().manual_seed(0))
    assert warped.shape == mel.shape
    centre = LogMel(options).bank.argmax(0) * 16_000 / 512  # Hz of each band
    heard = centre[warped[:, 50].argmax(-1)]
    assert 1_750 < heard.min() < 1_900 and 2_100 < heard.max() < 2_300


def test_no_warp_changes_nothing() -> None:
    features = torch.randn(2, 5, 80)
    same = warp_bands(features, SpecAugmentOptions(), 20.0, 7_600.0, torch.Generator())
    assert torch.allclose(same, features, atol=1e-4)
