"""Learning to spell from text alone: banks of phone posteriors, batches made of them, a bottleneck trained so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from asrbias.cli import main
from asrbias.encoder import Encoder, EncoderConfig
from asrbias.model import load_model
from asrbias.phones import PHONES
from asrbias.training import phonebank
from asrbias.training.base import TrainOptions, train_base
from asrbias.training.checkpoint import last_weights
from asrbias.training.data import BatchOptions, Source
from asrbias.training.phonebank import PhoneBank, PhoneBankError, best_path, disturbed
from asrbias.training.shards import write_shard
from asrbias.training.stream import is_text
from asrbias.training.text import TextBatches, TextOptions, TextSource, read_sentences
from tests.test_training import LETTERS, PLAIN, speak

CONFIG = EncoderConfig(
    vocabulary=29, dim=32, layers=4, heads=2, kernel=3, subword_layers=(3,), phone_layer=2, phone_middle=(1,),
    bottleneck=True, stem_channels=4,
)  # fmt: skip
B, AE, K = (PHONES.index(phone) + 1 for phone in ("B", "AE", "K"))


def posteriors(path: list[int], certain: float = 0.9) -> np.ndarray:
    """Frames [T, 40] whose best labels are `path`."""
    rest = (1 - certain) / 39
    matrix = np.full((len(path), 40), np.log(rest), np.float32)
    matrix[np.arange(len(path)), path] = np.log(certain)
    return matrix


@pytest.fixture
def bank() -> PhoneBank:
    said = [([0, B, 0, AE, AE, K, 0], [B, AE, K]), ([K, 0, AE, 0, 0, B, 0, 0], [K, AE, B]), ([AE, 0, K, B], [AE, K, B])]
    return PhoneBank.build((posteriors(path), phones) for path, phones in said)


def test_a_bank_cuts_between_the_phones(bank: PhoneBank) -> None:
    pieces = [
        bank.frames[start : start + size].argmax(1).tolist()
        for start, size in zip(bank.start, bank.length, strict=True)
    ]
    assert pieces[0] == [0, B] and pieces[1] == [0, AE, AE] and pieces[2] == [K, 0]
    assert bank.phone.tolist() == [B, AE, K, K, AE, B, AE, K, B]
    assert bank.utterance.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert not bank.error.any()


@pytest.fixture
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REPEATED", "SKIPPED", "SHARPNESS", "NOISE"):
        monkeypatch.setattr(phonebank, name, 0.0)


def test_what_is_disturbed_stays_posteriors() -> None:
    clear = posteriors([B, B, AE, 0, K, K] * 50, 0.999).astype(np.float16)
    rows = disturbed(clear, np.random.default_rng(0)).astype(np.float64)
    assert len(rows) != len(clear) and np.allclose(np.exp(rows).sum(1), 1.0, atol=5e-3)
    share = len(rows) / len(clear)
    assert 0.9 < share < 1.2 and set(best_path(rows)) == {B, AE, K}
    assert rows[:, B].std() > 0.2, "no two frames are alike"
    assert len(disturbed(clear[:0], np.random.default_rng(0))) == 0
    assert all(len(disturbed(clear[:1], np.random.default_rng(seed))) for seed in range(100)), (
        "something is always left"
    )


def test_banks_are_joined(bank: PhoneBank) -> None:
    both = PhoneBank.join([bank, bank])
    assert both.utterance.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]
    for piece in range(9):
        one, other = (both.frames[both.start[n] : both.start[n] + both.length[n]] for n in (piece, piece + 9))
        assert np.array_equal(one, other)


@pytest.mark.usefixtures("undisturbed")
def test_what_is_simulated_says_the_phones(bank: PhoneBank) -> None:
    draw = np.random.default_rng(0)
    sentences = [[B, AE, K], [K, AE, B, AE, K], [], [AE]]
    for phones, frames in zip(sentences, bank.simulate(sentences, draw), strict=True):
        assert best_path(frames) == tuple(phones), "the bank's speech has no errors"
    first, again = (bank.simulate(sentences, np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))


@pytest.mark.usefixtures("undisturbed")
def test_runs_are_as_long_as_possible() -> None:
    whole, other = posteriors([B, AE, K, B], 0.9), posteriors([K, AE, B, K, AE], 0.5)
    bank = PhoneBank.build([(whole, [B, AE, K, B]), (other, [K, AE, B, K, AE])])
    sure = [
        (frames.max(1) > np.log(0.8)).mean() for frames in bank.simulate([[B, AE, K]] * 200, np.random.default_rng(0))
    ]
    assert 0.9 < np.mean(sure) <= 1.0, "of the one utterance that says it all"


def test_speech_that_was_not_understood_is_left_out() -> None:
    good, bad = (posteriors([B, AE, K]), [B, AE, K]), (posteriors([B, AE, K]), [K, K, K, B])
    assert len(PhoneBank.build([good, bad]).phone) == 3
    with pytest.raises(PhoneBankError, match="No utterance"):
        PhoneBank.build([bad])


def test_a_bank_is_kept_whole(bank: PhoneBank, tmp_path: Path) -> None:
    bank.save(tmp_path / "bank.npz")
    loaded = PhoneBank.load(tmp_path / "bank.npz")
    assert np.array_equal(loaded.frames, bank.frames) and np.array_equal(loaded.error, bank.error)
    (tmp_path / "bank.npz").write_bytes((tmp_path / "bank.npz").read_bytes()[:100])
    with pytest.raises(PhoneBankError, match="cannot be read as a bank"):
        PhoneBank.load(tmp_path / "bank.npz")


def test_a_phone_that_the_bank_lacks_is_named(bank: PhoneBank) -> None:
    missing = PHONES.index("ZH") + 1
    with pytest.raises(PhoneBankError, match=rf"no piece of phone {missing};"):
        bank.simulate([[B, missing]], np.random.default_rng(0))


@pytest.fixture
def source(bank: PhoneBank, tmp_path: Path) -> TextSource:
    bank.save(tmp_path / "bank.npz")
    (tmp_path / "text.txt").write_text("Back!\ncab\nback cab\n\ncab back cab\n" + "cab " * 100 + "\n")
    return TextSource(tmp_path / "text.txt", tmp_path / "bank.npz")


def test_batches_of_text_hold_each_sentence_once_a_pass(bank: PhoneBank, source: TextSource) -> None:
    sentences, left = read_sentences(source.sentences, LETTERS, 120)
    assert left == 1 and [sentence.size for sentence in sentences] == [3, 3, 6, 9]
    batches = TextBatches(sentences, bank, TextOptions(seconds=1.2), seed=3)  # room for 7.5 phones
    assert batches.size == 3
    tokens = sorted(token for number in range(3) for token in batches[number].tokens.tolist())
    assert tokens == sorted(token for sentence in sentences for token in sentence.tokens)
    again = TextBatches(sentences, bank, TextOptions(seconds=1.2), seed=3)
    assert torch.equal(again[4].phones, batches[4].phones), "whatever was asked for before"
    (source.sentences).write_text("\n")
    with pytest.raises(ValueError, match="no sentence of 2 to 120 phones"):
        read_sentences(source.sentences, LETTERS, 120)


def test_updates_of_text_are_spread_evenly() -> None:
    assert [is_text(step, 0.5) for step in range(4)] == [False, True, False, True]
    assert sum(is_text(step, 0.3) for step in range(1000)) == 300
    assert all(is_text(step, 1.0) for step in range(10)) and not any(is_text(step, 0.0) for step in range(10))


def test_above_a_bottleneck_nothing_is_known_but_phones() -> None:
    encoder = Encoder(CONFIG).eval()
    features, lengths = torch.randn(2, 80, 80), torch.tensor([80, 61])
    with torch.inference_mode():
        whole = encoder(features, lengths)
        sounds = encoder.sounds(features, lengths)
        spelled = encoder.spell(whole.phones, whole.lengths)
    assert torch.equal(whole.phones, sounds.phones) and torch.equal(whole.log_probs, spelled.log_probs)
    assert len(whole.phone_middle) == 1 and len(whole.middle) == 1 and len(whole.hidden) == 2
    with pytest.raises(ValueError, match="must be above it"):
        replace(CONFIG, subword_layers=(2,))
    with pytest.raises(ValueError, match="must be below layer 2"):
        replace(CONFIG, phone_middle=(2,))


@pytest.fixture
def shard(tmp_path: Path) -> Source:
    write_shard(tmp_path / "toy", (({"id": t, "text": t, "corpus": "toy"}, speak(t)) for t in ["cab", "back", "abba"]))
    return Source.parse(str(tmp_path / "toy.jsonl"))


def test_text_alone_teaches_to_spell(shard: Source, source: TextSource, tmp_path: Path) -> None:
    options = replace(
        PLAIN,
        steps=120,
        rate=4e-3,
        warmup=20,
        average=0.9,
        evaluate_every=1_000,
        text=TextOptions(share=1.0, seconds=4.0),
    )
    train_base([shard], None, tmp_path / "run", options, config=CONFIG, vocabulary=LETTERS, text=source)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [row["text"] for row in rows]
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5])
    assert "phone" not in rows[0], "no speech was heard"


def weights_after(
    options: TrainOptions, shard: Source, source: TextSource | None, folder: Path
) -> dict[str, torch.Tensor]:
    train_base([shard], None, folder, options, config=CONFIG, vocabulary=LETTERS, text=source)
    return last_weights(folder)


def test_a_run_with_text_goes_on_exactly(shard: Source, source: TextSource, tmp_path: Path) -> None:
    options = replace(PLAIN, text=TextOptions(share=0.5, seconds=2.0), dropout=0.1)
    one = weights_after(options, shard, source, tmp_path / "one")
    weights_after(replace(options, stop_at=3), shard, source, tmp_path / "two")
    two = weights_after(options, shard, source, tmp_path / "two")
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = replace(source, sentences=shard.paths[0])
    with pytest.raises(ValueError, match=r"other settings \(text:"):
        train_base([shard], None, tmp_path / "two", options, config=CONFIG, vocabulary=LETTERS, text=other)


def test_what_is_trained_apart(shard: Source, tmp_path: Path) -> None:
    def moved(options: TrainOptions, name: str) -> set[str]:
        before = weights_after(replace(options, steps=1, rate=0.0), shard, None, tmp_path / f"{name}0")
        after = weights_after(replace(options, steps=1), shard, None, tmp_path / name)
        return {
            key.split(".")[0] + "." + key.split(".")[1] for key in after if not torch.equal(before[key], after[key])
        }

    plain = replace(PLAIN, batches=BatchOptions(seconds=4.0), weight_decay=0.0)
    assert "layers.3" in moved(plain, "all")
    sounds = moved(replace(plain, objective=replace(plain.objective, subword=0.0)), "sounds")
    assert "layers.1" in sounds and not sounds & {"layers.2", "layers.3", "head.weight", "bottleneck.inner"}
    spelling = moved(replace(plain, apart=True, objective=replace(plain.objective, phone=0.0)), "apart")
    assert "layers.3" in spelling and not spelling & {"layers.0", "layers.1", "stem.first", "phone_head.weight"}


def test_text_needs_a_bottleneck(shard: Source, source: TextSource, tmp_path: Path) -> None:
    options = replace(PLAIN, text=TextOptions(share=0.5))
    config = EncoderConfig(vocabulary=29, dim=32, layers=2, heads=2, subword_layers=(1,), phone_layer=1)
    with pytest.raises(ValueError, match="bottleneck"):
        train_base([shard], None, tmp_path / "run", options, config=config, vocabulary=LETTERS, text=source)
    with pytest.raises(ValueError, match="leave --apart out"):
        train_base([shard], None, tmp_path / "run", replace(PLAIN, apart=True), config=config, vocabulary=LETTERS)


def test_text_alone_by_the_command(source: TextSource, shard: Source, tmp_path: Path) -> None:
    first = tmp_path / "first"
    train_base([shard], None, first, replace(PLAIN, steps=1), config=CONFIG, vocabulary=LETTERS)
    given = ["train", "--init", str(first), "--output", str(tmp_path / "run"), "--steps", "2", "--workers", "0"]
    text = ["--sentences", str(source.sentences), "--phone-bank", str(source.bank)]
    assert main([*given, *text, "--text-share", "1"]) == 0
    before, after = load_model(first).encoder.state_dict(), load_model(tmp_path / "run").encoder.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and not any(is_lower(name) for name in changed)


def is_lower(name: str) -> bool:
    return name.startswith(("stem", "phone_head", "phone_condition", "layers.0.", "layers.1."))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "nothing to train on"),
        (["--sentences", "a.txt"], "nothing to train on"),
        (["--sentences", "a.txt", "--text-share", "1"], "go together"),
        (["--text-share", "1", "--phone-bank", "b.npz"], "go together"),
        (["--sentences", "a.txt", "--text-share", "1.5", "--phone-bank", "b.npz"], "from 0 to 1"),
    ],
)
def test_what_goes_together(given: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--init", str(tmp_path), "--output", str(tmp_path / "run"), *given]) == 2
    assert message in capsys.readouterr().err
