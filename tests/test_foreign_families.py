"""Hugging Face's families of CTC models: small ones with random weights, loaded from disk offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import asrbias
from asrbias.foreign_onnx import nemo_features
from asrbias.recognizer import Posteriors
from tests.foreign_folders import CHARACTERS, FAMILIES, PIECES, SMALL, save_family

RNG = np.random.default_rng(0)
SHORT = RNG.normal(scale=0.1, size=16_000).astype(np.float32)
LONG = RNG.normal(scale=0.1, size=24_200).astype(np.float32)  # 149 mel frames where edges are cut: an odd number
FRAMES = {"parakeet": 0.08}  # seconds; the others have 0.02
LABELS = {"w2v-bert": SMALL, "parakeet": [*PIECES, "<pad>"]}


def own(folder: Path, waves: list[np.ndarray]) -> tuple[Any, Any]:
    """What the family itself makes of a batch: log posteriors [B, T, V] and the input."""
    import transformers

    module = transformers.AutoModelForCTC.from_pretrained(folder).eval()
    given = transformers.AutoFeatureExtractor.from_pretrained(folder)(
        waves, sampling_rate=16_000, return_tensors="pt", padding=True
    )
    with torch.inference_mode():
        return module(**given).logits.log_softmax(-1).numpy(), given


def posterior(recognizer: asrbias.Recognizer, labels: list[str]) -> Posteriors:
    """One that hears these labels, with one letter of the name wrong."""
    names, blank = recognizer.model.vocabulary.labels, recognizer.model.vocabulary.blank
    logits = np.zeros((3 * len(labels) + 3, len(names)), np.float32)
    logits[:, blank] = 9.0
    for n, label in enumerate(labels):
        logits[3 * n + 1, [blank, names.index(label)]] = 0.0, 9.0
        if label in "iI":
            logits[3 * n + 1, names.index("e" if label == "i" else "E")] = 9.5
    return Posteriors(logits - np.logaddexp.reduce(logits, 1, keepdims=True), None)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_s_posteriors_are_its_own(tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = save_family(family, tmp_path / family)
    recognizer = asrbias.load(f"hf:{folder}")
    labels = LABELS.get(family, CHARACTERS)
    assert list(recognizer.model.vocabulary.labels) == labels
    assert labels[recognizer.model.vocabulary.blank] in ("<pad>", "[PAD]")
    assert recognizer.sample_rate == 16_000
    assert recognizer.model.seconds_per_frame == pytest.approx(FRAMES.get(family, 0.02))
    heard = [one.log_probs for one in recognizer.posteriors([LONG, SHORT])]  # a batch: each what it gives alone
    for wave, one in zip((LONG, SHORT), heard, strict=True):
        expected, _ = own(folder, [wave])
        assert len(one) == pytest.approx(len(wave) / 16_000 / recognizer.model.seconds_per_frame, abs=2)  # edges
        np.testing.assert_allclose(one, expected[0, : len(one)], atol=1e-5)
        assert len(expected[0]) - len(one) <= 1  # a masked frame
    text = "|met|kyiv" if family == "w2v-bert" else "|MET|KYIV"
    said = [*"▁met", "▁ky", "i", "v"] if family == "parakeet" else list(text)
    made = posterior(recognizer, said)
    assert recognizer.decode_posteriors([made], [None])[0][0].text == "met kyev"
    found = recognizer.decode_posteriors([made], [asrbias.EntityList.coerce(["Kyiv"])])[0][0]
    assert found.text == "met kyiv" and found.words[1].entity == 0


@pytest.mark.parametrize("family", ["hubert", "wav2vec2-large", "data2vec", "w2v-bert", "parakeet"])
def test_where_a_family_has_masks_its_padded_batches_agree(tmp_path: Path, family: str) -> None:
    folder = save_family(family, tmp_path / family)
    together, given = own(folder, [LONG, SHORT])
    assert "attention_mask" in given
    for row, one in enumerate(asrbias.load(f"hf:{folder}").posteriors([LONG, SHORT])):
        inner = len(one.log_probs) - 2  # the convolutions of some see the padding in the last frames
        np.testing.assert_allclose(one.log_probs[:inner], together[row, :inner], atol=1e-4)


def test_nemo_s_features_are_those_of_parakeet(tmp_path: Path) -> None:
    folder = save_family("parakeet", tmp_path / "parakeet")
    import transformers

    hearing = transformers.AutoFeatureExtractor.from_pretrained(folder)
    given = hearing(LONG, sampling_rate=16_000, return_tensors="np")
    frames = int(given["attention_mask"].sum())
    np.testing.assert_allclose(nemo_features(LONG, True), given["input_features"][0, :frames].T, atol=2e-4)


def test_what_is_saved_in_half_precision_runs_in_float32(tmp_path: Path) -> None:
    folder = save_family("hubert", tmp_path / "hubert")
    import transformers

    whole = asrbias.load(f"hf:{folder}").posteriors([SHORT])[0].log_probs
    transformers.AutoModelForCTC.from_pretrained(folder).half().save_pretrained(folder)
    half = asrbias.load(f"hf:{folder}").posteriors([SHORT])[0].log_probs
    assert half.dtype == np.float32 and 0 < np.abs(half - whole).max() < 0.02
