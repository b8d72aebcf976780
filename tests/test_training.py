"""Base training on toy speech (a tone a letter): it learns, and a killed run goes on exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from asrbias.encoder import EncoderConfig
from asrbias.model import load_model
from asrbias.tokens import Vocabulary
from asrbias.training.augment import AugmentOptions, SpecAugmentOptions, augment, spec_augment
from asrbias.training.base import TrainOptions, rate_at, train_base
from asrbias.training.checkpoint import last_weights
from asrbias.training.data import BatchDataset, BatchOptions, Source, plan_epoch, read_examples
from asrbias.training.shards import read_shard, write_shard

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
    examples = read_examples(shard, LETTERS)
    audio = BatchDataset([examples], None, 0)[0].audio
    np.testing.assert_allclose(audio[0, : utterances[0].samples], speak("abba") / 32768, atol=1e-6)
    (tmp_path / "toy.pcm").write_bytes(b"12")
    with pytest.raises(ValueError, match="beyond the end"):
        list(read_shard(shard.paths[0]))
    with pytest.raises(FileNotFoundError, match="No shard matches"):
        Source.parse(str(tmp_path / "none*.jsonl"))


def test_an_epoch_holds_each_utterance_once_and_fills_batches(shard: Source) -> None:
    examples = read_examples(shard, LETTERS)
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


def test_a_killed_run_goes_on_exactly(shard: Source, tmp_path: Path) -> None:
    train_base([shard], None, tmp_path / "whole", PLAIN, config=CONFIG, vocabulary=LETTERS)

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
        train_base([shard], None, tmp_path / "cut", PLAIN, config=CONFIG, vocabulary=LETTERS)
    train_base([shard], None, tmp_path / "cut", PLAIN, config=CONFIG, vocabulary=LETTERS)
    whole, cut = last_weights(tmp_path / "whole"), last_weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    with pytest.raises(ValueError, match=r"other settings \(rate: 0.002 -> 0.1\)"):
        train_base([shard], None, tmp_path / "cut", replace(PLAIN, rate=0.1), config=CONFIG, vocabulary=LETTERS)


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
