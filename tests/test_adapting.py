"""A list at work in the adapter: by sounds, by list, through the recognizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from asrbias.adapter import AdapterConfig, ContextualAdapter
from asrbias.adapting import AdapterOptionError, AdapterOptions
from asrbias.decoder import DecodeOptions
from asrbias.encoder import EncoderConfig
from asrbias.entities import Entity, EntityList
from asrbias.joint import JointError, JointOptions
from asrbias.loading import load
from asrbias.model import Model, load_model, save_model
from asrbias.phones import PHONES
from asrbias.recognizer import Recognizer
from asrbias.soundmatch import SoundMatch, coverage, written
from tests.test_training import LETTERS

CONFIG = EncoderConfig(
    vocabulary=29, dim=32, layers=4, heads=2, kernel=3, subword_layers=(3,), phone_layer=2, bottleneck=True,
    stem_channels=4,
)  # fmt: skip
NUMBER = {phone: index for index, phone in enumerate(PHONES, 1)}
SAMPLES = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    made = Model(CONFIG, LETTERS).eval()
    made.adapter = ContextualAdapter(AdapterConfig.of(CONFIG, dim=16, heads=2)).eval()
    torch.nn.init.normal_(made.adapter.out.weight)
    return made


def options(**other: float) -> JointOptions:
    return JointOptions(decode=DecodeOptions(bonus=1.0), adapter=AdapterOptions(**other))  # type: ignore[arg-type]


def say(*phones: str) -> torch.Tensor:
    """[1, T, 40]: each phone in a frame, blank in between."""
    path = [label for phone in phones for label in (NUMBER[phone], 0)]
    rows = torch.full((1, len(path), 40), np.log(0.1 / 39))
    rows[0, torch.arange(len(path)), torch.tensor(path)] = float(np.log(0.9))
    return rows


def test_what_was_said_fits_best() -> None:
    spelled = [["K", "AE", "T"], ["T", "AE", "K"], ["K", "IH", "T"]]
    sounds = written(torch.tensor([[NUMBER[p] for p in one] for one in spelled]), 40)
    assert sounds.shape == (3, 3, 120)
    with torch.no_grad():
        fit = SoundMatch(40, 2).fit(say("AA", "K", "AE", "T", "UW"), sounds.reshape(9, 120))
    assert fit.shape == (1, 9, 10)
    best = fit[0].view(3, 3, 10).sum(1).argmax(0)
    assert best[2:7].tolist() == [0] * 5
    middle = fit[0, :, 4]  # the frame of AE
    assert middle.argmax() == 1, "the vowel of the first entity"
    owner = torch.arange(3).repeat_interleave(3)
    cover = coverage(fit, sounds.reshape(9, 120), owner, 3)
    assert cover.shape == (1, 3, 10) and cover[0, :, 0].argmax() == 0 and bool((cover == cover[..., :1]).all())


def test_subwords_and_padding_have_no_sound() -> None:
    assert not written(torch.tensor([[-5, 0, -1]]), 40).any()


def test_a_list_is_read_once_and_its_order_does_not_matter(model: Model) -> None:
    recognizer = Recognizer(model, decode=options())
    heard = recognizer.posteriors([SAMPLES])
    adapting = recognizer.adapting
    assert adapting is not None
    one = recognizer.adapt(heard, [EntityList(["bob", "kit kat", "ann"])])[0]
    other = recognizer.adapt(heard, [EntityList(["ann", "bob", "kit kat"])])[0]
    assert one is not None and other is not None
    assert np.allclose(one.log_probs, other.log_probs, atol=1e-5)
    assert not np.allclose(one.log_probs, heard[0].log_probs, atol=1e-2)
    assert np.allclose(one.attention[:, [0, 3, 1, 2]], other.attention, atol=1e-5)
    assert np.allclose(one.attention.sum(1), 1, atol=1e-5) and one.entities == (0, 1, 2)
    again = recognizer.adapt(heard, [EntityList(["bob", "kit kat", "ann"])])[0]
    assert again is not None and np.array_equal(again.log_probs, one.log_probs)


def test_without_a_list_nothing_is_adapted(model: Model) -> None:
    with_adapter, plain = Recognizer(model, decode=options()), Recognizer(model, decode=JointOptions())
    assert with_adapter.adapt(with_adapter.posteriors([SAMPLES]), [None]) == [None]
    assert with_adapter.transcribe(SAMPLES).text == plain.transcribe(SAMPLES).text
    assert with_adapter.transcribe(SAMPLES, []).text == plain.transcribe(SAMPLES).text


def test_a_long_list_is_cut_to_what_may_have_been_said(model: Model) -> None:
    names = [f"{a}{b}{c}" for a in "bdk" for b in ("a", "ee", "oo") for c in ("n", "t", "m", "l")]
    recognizer = Recognizer(model, decode=options(shortlist=5))
    (adapted,) = recognizer.adapt(recognizer.posteriors([SAMPLES]), [EntityList(names)])
    assert adapted is not None and len(adapted.entities) == 5 == len(set(adapted.entities))
    assert adapted.attention.shape[1] == 6
    kept = EntityList([names[index] for index in adapted.entities])
    (alone,) = recognizer.adapt(recognizer.posteriors([SAMPLES]), [kept])
    assert alone is not None and np.allclose(alone.log_probs, adapted.log_probs, atol=1e-4)


def test_long_recordings_are_taken_in_windows(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = Recognizer(model, decode=options())
    heard = recognizer.posteriors([np.tile(SAMPLES, 3)])
    listed = [EntityList(["bob", "kit kat", "ann"])]
    (whole,) = recognizer.adapt(heard, listed)
    monkeypatch.setattr("asrbias.adapting.WINDOW", 20)
    monkeypatch.setattr("asrbias.adapting.MARGIN", 25)
    (parts,) = recognizer.adapt(heard, listed)
    assert whole is not None and parts is not None and parts.entities == whole.entities
    assert parts.log_probs.shape == whole.log_probs.shape and np.allclose(parts.attention.sum(1), 1, atol=1e-5)
    assert np.abs(parts.attention - whole.attention).max() < 0.05, "the margin is all that most of a frame hears"
    monkeypatch.setattr("asrbias.adapting.MARGIN", 75)
    (same,) = recognizer.adapt(heard, listed)
    assert same is not None and np.allclose(same.log_probs, whole.log_probs, atol=1e-4)


def test_negative_weights_are_not_attended_to(model: Model) -> None:
    recognizer = Recognizer(model, decode=options())
    (adapted,) = recognizer.adapt(
        recognizer.posteriors([SAMPLES]), [EntityList([Entity("bob", weight=-1.0), Entity("ann")])]
    )
    assert adapted is not None and adapted.entities == (1,)


def test_strength_nought_is_the_base(model: Model) -> None:
    recognizer = Recognizer(model, decode=options(strength=0.0))
    heard = recognizer.posteriors([SAMPLES])
    (adapted,) = recognizer.adapt(heard, [EntityList(["bob"])])
    assert adapted is not None and np.allclose(adapted.log_probs, heard[0].log_probs, atol=1e-5)


def test_a_batch_is_its_items(model: Model) -> None:
    recognizer = Recognizer(model, decode=options())
    lists = [["bob", "ann"], None, ["kit"]]
    waves = [SAMPLES, SAMPLES[:9000], SAMPLES[3000:]]
    together = recognizer.transcribe_batch(waves, lists)
    alone = [recognizer.transcribe(wave, listed) for wave, listed in zip(waves, lists, strict=True)]
    assert [one.text for one in together] == [one.text for one in alone]


def test_the_model_keeps_its_adapter(model: Model, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again.adapter is not None and model.adapter is not None
    assert torch.equal(again.adapter.out.weight, model.adapter.out.weight)
    read = load(tmp_path, decode=options())
    assert (
        read.transcribe(SAMPLES, ["bob"]).text == Recognizer(model, decode=options()).transcribe(SAMPLES, ["bob"]).text
    )


def test_what_cannot_be_is_refused(model: Model) -> None:
    for wrong in ({"shortlist": 0}, {"strength": -1.0}, {"strength": float("nan")}):
        with pytest.raises(AdapterOptionError, match=next(iter(wrong))):
            AdapterOptions(**wrong)  # type: ignore[arg-type]
    model.adapter = None
    with pytest.raises(ValueError, match="has none"):
        Recognizer(model, decode=options())
    bare = Recognizer(model, decode=JointOptions())
    log_probs = bare.log_probs([SAMPLES])
    with pytest.raises(JointError, match="1 items but 2 adapted"):
        bare.decoder.decode_batch(log_probs, None, None, adapted=[None, None])  # type: ignore[call-arg]
