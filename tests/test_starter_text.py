"""The starter's recipes for text: walks over it, and models put together at a bottleneck."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
import torch

from asrbias.encoder import EncoderConfig
from asrbias.model import Model, load_model, save_model
from tests.test_training import LETTERS

RECIPES = Path(__file__).resolve().parents[1] / "recipes" / "starter"
PLAIN = EncoderConfig(
    vocabulary=29, dim=16, layers=6, heads=2, kernel=3, subword_layers=(2, 4), phone_layer=3, stem_channels=4
)


@pytest.fixture(autouse=True)
def recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(RECIPES))


def pairs(texts: list[str]) -> set[tuple[str, str]]:
    return {pair for text in texts for pair in itertools.pairwise(["<s>", *text.split(), "</s>"])}


def test_walks_hold_no_pair_that_the_text_has_not() -> None:
    from walk import Walk

    texts = ["the cat sat on the mat", "the dog sat on the cat", "a dog saw the mat"]
    drawn = [Walk([(texts, 1)], seed).draw() for seed in range(200)]
    assert pairs(drawn) <= pairs(texts)
    assert set(drawn) - set(texts), "they are new sentences too"
    assert all(2 <= len(text.split()) <= 16 for text in drawn)
    assert Walk([(texts, 1)], 7).draw() == drawn[7]


def test_without_stepping_back_triples_are_kept() -> None:
    from walk import Walk

    walk = Walk([(["a b c", "d b e"], 1)], 0, back=0.0)
    drawn = [walk.draw() for _ in range(300)]
    assert drawn.count("a b c") + drawn.count("d b e") > 200  # half of the triples with one way on are walked as pairs


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    import phone_bottleneck

    monkeypatch.setattr(sys, "argv", ["phone_bottleneck.py", *map(str, arguments)])
    phone_bottleneck.main()


def test_a_model_with_a_bottleneck_hears_as_the_plain_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Model(PLAIN, LETTERS).eval()
    save_model(plain, tmp_path / "plain")
    command(monkeypatch, tmp_path / "plain", "--phone-layer", 5, "--phone-middle", 3, "-o", tmp_path / "new")
    new = load_model(tmp_path / "new")
    config = new.encoder.config
    assert (config.layers, config.phone_layer, config.subword_layers) == (8, 5, (6,)) and config.bottleneck
    old, made = plain.encoder.state_dict(), new.encoder.state_dict()
    assert torch.equal(made["layers.4.norm.weight"], old["layers.4.norm.weight"])  # heard as before
    assert torch.equal(made["layers.7.before.1.weight"], old["layers.5.before.1.weight"])  # the plain model's last
    assert not made["phone_condition.weight"].any()


def test_hearing_of_one_and_spelling_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        save_model(Model(PLAIN, LETTERS), tmp_path / f"{name}-plain")
        given = ["--phone-layer", 4, "--phone-middle", 3, "-o", tmp_path / name]
        command(monkeypatch, tmp_path / f"{name}-plain", *given)
    command(monkeypatch, tmp_path / "one", "--upper", tmp_path / "two", "-o", tmp_path / "both")
    one, two, both = (load_model(tmp_path / name) for name in ("one", "two", "both"))
    features, lengths = torch.randn(1, 60, 80), torch.tensor([60])
    with torch.inference_mode():
        heard, said = one.encoder(features, lengths), both.encoder(features, lengths)
        assert torch.equal(said.phones, heard.phones)
        assert torch.equal(said.log_probs, two.encoder.spell(heard.phones, heard.lengths).log_probs)
        assert not torch.equal(said.log_probs, heard.log_probs)
