"""CTC models of others: small ones with random weights, saved to disk where that is how they come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import asrbias
from asrbias.audio import Samples
from asrbias.cli import main
from asrbias.decode_options import DecodeOptions
from asrbias.foreign import ForeignModel, ForeignModelError, find_blank
from asrbias.foreign_onnx import kaldi_features, nemo_features, read_tokens
from asrbias.foreign_torchaudio import from_torchaudio
from asrbias.joint import JointOptions
from asrbias.model import ModelError
from asrbias.phrases import LabelsError
from asrbias.recognizer import Recognizer
from asrbias.rescoring import RescoreOptions
from asrbias.torchaudio_import import import_torchaudio
from tests.foreign_folders import CHARACTERS, save_family, torchaudio_module

RNG = np.random.default_rng(0)
SPEECH = RNG.normal(scale=0.1, size=24_000).astype(np.float32)


def spelled(text: str, labels: list[str]) -> Any:
    """A function that hears `text`, a character every other frame of 20 ms, whatever it is given."""

    def forward(samples: Samples) -> np.ndarray:
        logits = np.full((max(2, len(samples) // 320), len(labels)), -9.0)
        logits[:, 0] = 0.0
        for n, character in enumerate(text):
            if 2 * n + 1 < len(logits):
                logits[2 * n + 1, labels.index(character)] = 9.0
        return logits

    return forward


def test_a_function_with_labels_is_a_model() -> None:
    recognizer = Recognizer(spelled("CALL|KEEV", CHARACTERS), labels=CHARACTERS)
    away = Recognizer(spelled("TO|KAZABLANKA", CHARACTERS), labels=CHARACTERS)
    assert away.transcribe(SPEECH, ["Casablanca"]).text == "to Casablanca"  # which sounds like what it spells
    searched = Recognizer(spelled("TO|KAZABLANKA", CHARACTERS), labels=CHARACTERS, decode=DecodeOptions())
    assert searched.transcribe(SPEECH, ["Casablanca"]).text == "to kazablanka"
    assert recognizer.model.seconds_per_frame == pytest.approx(0.02)
    heard = recognizer.transcribe(SPEECH)
    assert heard.words[1].start == pytest.approx(2 * 5 * 0.02 + 0.02, abs=0.03)
    listed = recognizer.transcribe(SPEECH, [asrbias.Entity("Keev", display="Kyiv")])
    assert listed.text == "call Kyiv" and listed.words[1].entity is not None
    said = recognizer.describe()
    assert "characters, | between words; capitals, shown small; blank '<pad>' at 0" in said
    assert "rescoring by sounds: off: the model has no phone head" in said and "lists: on" in said
    assert "pronunciation lookup: on, by the sounds of what the model spells" in said


def test_what_the_model_cannot_serve_is_off() -> None:
    options = JointOptions(rescore=RescoreOptions())
    recognizer = Recognizer(spelled("HI", CHARACTERS), labels=CHARACTERS, decode=options)
    assert recognizer.off == ("rescore",) and recognizer.transcribe(SPEECH).text == "hi"
    with pytest.raises(TypeError, match="no model of asrbias' own"):
        _ = recognizer.own


def test_long_recordings_and_streams_need_no_phone_head() -> None:
    recognizer = Recognizer(spelled("WE|MET", CHARACTERS), labels=CHARACTERS)
    samples = np.tile(SPEECH, 30)
    assert recognizer.transcribe(samples).text.split()[:2] == ["we", "met"]
    with recognizer.stream() as stream:
        stream.push(samples[:40_000])
        assert stream.finish().text.startswith("we met")


def test_functions_that_are_no_models() -> None:
    with pytest.raises(TypeError, match="without labels"):
        Recognizer(spelled("A", CHARACTERS))
    with pytest.raises(LabelsError, match="named like a blank"):
        Recognizer(lambda samples: np.zeros((9, 2)), labels=["a", "b"])
    with pytest.raises(ForeignModelError, match=r"\(9, 3\); it must give log probabilities \[T, 4\]"):
        Recognizer(lambda samples: np.zeros((9, 3)), labels=["<pad>", "a", "b", " "])
    with pytest.raises(ForeignModelError, match="gave 9 frames for 2 s and 9 for 10 s"):
        Recognizer(lambda samples: np.zeros((9, 2)), labels=["<pad>", "a"])

    def fails(samples: Samples) -> np.ndarray:
        raise ZeroDivisionError("by zero")

    with pytest.raises(ForeignModelError, match="failed on 32000 samples"):
        ForeignModel(fails, ["<pad>", "a"])
    assert find_blank(["a", "[PAD]", "-"]) == 1
    for name, said in (("hf:", "names no model"), ("torchaudio:NONE", "has no CTC pipeline 'NONE'")):
        with pytest.raises(ForeignModelError, match=said):
            asrbias.load(name)
    with pytest.raises(ModelError, match="no model of asrbias' own"):
        asrbias.loading.find_model("hf:somebody/model")


def test_torchaudio_s_posteriors_are_its_own() -> None:
    module = torchaudio_module()
    model = from_torchaudio(module, ["-", *CHARACTERS[1:]], 16_000)
    with torch.inference_mode():
        expected = module(torch.from_numpy(SPEECH)[None])[0][0].log_softmax(-1).numpy()
    np.testing.assert_allclose(model.log_probs(SPEECH), expected, atol=1e-5)
    assert Recognizer(model).transcribe(SPEECH, ["Kyiv"]).duration == 1.5


def test_the_command_line_takes_hugging_face_s_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_family("wav2vec2", tmp_path / "hf")
    path = tmp_path / "a.wav"
    soundfile.write(path, SPEECH, 16_000)
    assert main(["transcribe", str(path), "--model", f"hf:{folder}", "--json"]) == 0
    (folder / "model.safetensors").unlink()
    capsys.readouterr()
    assert main(["transcribe", str(path), "--model", f"hf:{folder}"]) != 0
    assert "cannot be loaded" in capsys.readouterr().err


def onnx_folder(folder: Path, shape: list[Any], *, length: bool, facts: dict[str, str]) -> np.ndarray:
    """A model whose posteriors are a linear map of its input's rows; the map."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    tokens = ["<blk>", "▁", "▁a", "b"]
    mels = shape[-1] if shape[1] == "T" else shape[1]
    weights = np.random.default_rng(1).normal(size=(mels, len(tokens))).astype(np.float32)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [] if shape[1] == "T" else [helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 1])]
    nodes += [
        helper.make_node("MatMul", ["y" if nodes else "x", "w"], ["z"]),
        helper.make_node("LogSoftmax", ["z"], ["log_probs"]),
    ]
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    if length:
        inputs.append(helper.make_tensor_value_info("x_lens", onnx.TensorProto.INT64, [1]))
        nodes.append(helper.make_node("Identity", ["x_lens"], ["lens"]))
    outputs = [helper.make_tensor_value_info("log_probs", kind, [1, "T", len(tokens)])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [onnx.numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, facts)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    (folder / "tokens.txt").write_text("".join(f"{token} {n}\n" for n, token in enumerate(tokens)), encoding="utf-8")
    return weights


@pytest.mark.parametrize("family", ["zipformer", "wenet", "nemo"])
def test_onnx_posteriors_are_the_family_s_own(tmp_path: Path, family: str) -> None:
    shape: list[Any] = ["N", 80, "T"] if family == "nemo" else ["N", "T", 80]
    facts = {"zipformer": {"model_type": "zipformer2_ctc"},
             "wenet": {"model_type": "wenet_ctc", "subsampling_factor": "1", "vocab_size": "4"},
             "nemo": {"model_type": "EncDecCTCModelBPE", "normalize_type": "per_feature", "vocab_size": "3",
                      "subsampling_factor": "1"}}[family]  # fmt: skip
    weights = onnx_folder(tmp_path / "m", shape, length=True, facts=facts)
    recognizer = asrbias.load(f"onnx:{tmp_path / 'm'}")
    assert recognizer.model.seconds_per_frame == pytest.approx(0.01)
    bands = {"zipformer": lambda: kaldi_features(SPEECH), "wenet": lambda: kaldi_features(SPEECH * 32_768),
             "nemo": lambda: nemo_features(SPEECH, True).T}[family]()  # fmt: skip
    logits = torch.from_numpy(bands @ weights)
    np.testing.assert_allclose(
        recognizer.posteriors([SPEECH])[0].log_probs, logits.log_softmax(-1).numpy(), atol=2e-4, rtol=1e-4
    )
    assert isinstance(recognizer.transcribe(SPEECH, ["ab"]).text, str)
    assert "▁ where a word begins; blank '<blk>' at 0" in recognizer.describe()


def test_features_are_those_of_the_families() -> None:
    import_torchaudio()
    from torchaudio.compliance import kaldi

    expected = kaldi.fbank(
        torch.from_numpy(SPEECH)[None], num_mel_bins=80, dither=0.0, snip_edges=False, high_freq=-400.0
    )
    np.testing.assert_allclose(kaldi_features(SPEECH), expected.numpy(), atol=1e-5)
    bands = nemo_features(SPEECH, True)
    assert bands.shape == (80, 150)
    np.testing.assert_allclose(bands.mean(1), 0.0, atol=1e-4)
    np.testing.assert_allclose(bands.std(1, ddof=1), 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("mels", "facts", "said"),
    [
        (64, {"model_type": "EncDecCTCModelBPE", "is_giga_am": "1"}, "features that are not made here"),
        (80, {"model_type": "dolphin"}, r"dolphin\) takes .* that are not made here"),
        (80, {"model_type": "EncDecCTCModel", "normalize_type": "all_features"}, "only per_feature and none are read"),
        (80, {"model_type": "EncDecCTCModel", "vocab_size": "1024"}, "has 4 tokens but the model's metadata 1024"),
    ],
)
def test_onnx_families_that_are_refused(tmp_path: Path, mels: int, facts: dict[str, str], said: str) -> None:
    onnx_folder(tmp_path / "m", ["N", mels, "T"], length=True, facts=facts)
    with pytest.raises(ForeignModelError, match=said):
        asrbias.load(f"onnx:{tmp_path / 'm'}")


def test_what_is_no_onnx_model(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(ForeignModelError, match="tokens"):
        asrbias.load(f"onnx:{tmp_path}")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "tokens.txt").write_text("<blk> 0\na 2\n")
    with pytest.raises(ForeignModelError, match="cannot be read"):
        asrbias.load(f"onnx:{tmp_path}")
    with pytest.raises(ForeignModelError, match="numbered from 0 to 1"):
        read_tokens(tmp_path / "tokens.txt")
    (tmp_path / "tokens.txt").write_text("<blk> 0\na b\n")
    with pytest.raises(ForeignModelError, match="a token, a space and its own number"):
        read_tokens(tmp_path / "tokens.txt")
