"""pyctcdecode behind Decoder's interface."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from asrbias.alignment import LogProbsError
from asrbias.decoder import DecodeOptions, Decoder, DecoderError, DecoderTypeError
from asrbias.entities import Entity
from asrbias.lm import LanguageModel
from asrbias.loading import MODELS, load
from asrbias.phrases import LabelsError
from asrbias.pyctcdecode_decoder import PyctcdecodeDecoder, PyctcdecodeOptions

DEMO = Path(__file__).resolve().parents[1] / "recipes" / "starter" / "demo"
CHARACTERS = ["<blank>", " ", "a", "b", "n"]
PIECES = ["<blank>", "▁", "▁an", "n", "a", "▁b", "b", "<unk>"]


def spoken(labels: list[str], said: list[str], sure: float = 0.9) -> np.ndarray:
    """[T, V]: in each frame one label has the probability `sure`, the others share the rest."""
    probabilities = np.full((len(said), len(labels)), (1 - sure) / (len(labels) - 1))
    for frame, label in enumerate(said):
        probabilities[frame, labels.index(label)] = sure
    return np.log(probabilities).astype(np.float32)


installed = pytest.mark.skipif(
    importlib.util.find_spec("pyctcdecode") is None, reason="pyctcdecode is not installed (the extra `pyctcdecode`)"
)


@installed
@pytest.mark.parametrize("labels, said", [
    (CHARACTERS, ["a", "n", "n", "<blank>", "n", "a", " ", "b"]),
    (PIECES, ["▁an", "▁an", "<blank>", "n", "a", "<blank>", "▁b", "<blank>"]),
])  # fmt: skip
def test_words_tokens_and_frames(labels: list[str], said: list[str]) -> None:
    best = PyctcdecodeDecoder(labels).decode(spoken(labels, said))[0]
    assert best.text == "anna b"
    assert [word.text for word in best.words] == ["anna", "b"]
    ours = Decoder(labels).decode(spoken(labels, said))[0]
    assert (best.tokens, best.frames) == (ours.tokens, ours.frames)
    for word, our in zip(best.words, ours.words, strict=True):
        assert (word.text, word.start, word.end) == (our.text, our.start, our.end)
        assert word.confidence == pytest.approx(our.confidence, abs=0.02)  # the probability of <unk> is given to others
    for hypothesis in PyctcdecodeDecoder(labels).decode(spoken(labels, said, sure=0.5)):
        spelled = "".join(labels[token] for token in hypothesis.tokens).replace("▁", " ")
        assert " ".join(spelled.split()) == hypothesis.text
    assert best.score == best.acoustic + best.bias + best.lm
    assert best.lm == pytest.approx(0, abs=1e-6)


@installed
def test_the_acoustic_score_is_the_sum_over_alignments() -> None:
    """Of every label sequence with that text: here "ab" and "ab ", so the sum over 2 of Decoder's hypotheses."""
    log_probs = spoken(CHARACTERS, ["a", "b", "b"], sure=0.6)
    everything = DecodeOptions(nbest=1000, beam=1000, token_threshold=99.0, beam_threshold=99.0)
    sums: dict[str, float] = {}
    for hypothesis in Decoder(CHARACTERS, options=everything).decode(log_probs):
        sums[hypothesis.text] = np.logaddexp(sums.get(hypothesis.text, -np.inf), hypothesis.acoustic)
    wide = PyctcdecodeOptions(beam_width=1000, nbest=1000, token_min_logp=-30.0, beam_prune_logp=-1000.0)
    found = PyctcdecodeDecoder(CHARACTERS, options=wide).decode(log_probs)
    assert {h.text: h.acoustic for h in found} == pytest.approx(sums, abs=1e-4)


@installed
def test_hotwords_pay_and_phrases_are_marked_whole() -> None:
    said = ["a", "n", "<blank>", "n", "b", " ", "b", "a"]  # "annb ba" heard, "anna ba" listed
    log_probs = spoken(CHARACTERS, said)
    log_probs[4] = spoken(CHARACTERS, ["b"], sure=0.5)[0]
    log_probs[4, CHARACTERS.index("a")] = math.log(0.3)
    decoder = PyctcdecodeDecoder(CHARACTERS, options=PyctcdecodeOptions(hotword_weight=3.0))
    assert decoder.decode(log_probs)[0].text == "annb ba"
    best = decoder.decode(log_probs, ["nab", "Anna Ba"])[0]
    assert best.text == "anna ba"
    assert best.bias == 6.0  # two words; pyctcdecode knows no phrases
    assert [(word.entity, word.entity_span) for word in best.words] == [(1, (0, 1)), (1, (0, 1))]
    alone = decoder.decode(log_probs, ["Ba Anna"])[0]
    assert alone.bias == 6.0 and all(word.entity is None for word in alone.words)


@installed
def test_an_empty_list_changes_nothing() -> None:
    log_probs = spoken(PIECES, ["▁an", "n", "a", "▁b"])
    decoder = PyctcdecodeDecoder(PIECES)
    assert decoder.decode(log_probs, []) == decoder.decode(log_probs)
    assert decoder.decode_batch([log_probs, log_probs[:0]], [[], None])[1][0].text == ""


@installed
@pytest.mark.parametrize("weight", [-1.0, 2.0])
def test_weights_are_refused(weight: float) -> None:
    with pytest.raises(DecoderError, match=r"'anna' has the weight .* one weight for all of a list"):
        PyctcdecodeDecoder(PIECES).decode(spoken(PIECES, ["▁an"]), [Entity("Anna", weight=weight)])


@installed
def test_control_labels_are_never_written() -> None:
    best = PyctcdecodeDecoder(PIECES).decode(spoken(PIECES, ["▁b", "<unk>", "<blank>"]))[0]
    assert best.text.startswith("b") and "unk" not in best.text and "⁇" not in best.text


@installed
@pytest.mark.parametrize("bad, reason", [(np.nan, "NaN"), (0.5, "above 0")])
def test_bad_values(bad: float, reason: str) -> None:
    log_probs = spoken(PIECES, ["▁b", "a"])
    log_probs[1, 2] = bad
    with pytest.raises(LogProbsError, match=f"{reason}.* frame 1"):
        PyctcdecodeDecoder(PIECES).decode(log_probs)


@installed
def test_labels_that_it_cannot_use() -> None:
    with pytest.raises(DecoderError, match="'ab▁b' spans words"):
        PyctcdecodeDecoder(["<blank>", "▁a", "ab▁b"])
    with pytest.raises(DecoderError, match="'E' and 'e' are one"):
        PyctcdecodeDecoder(["<blank>", " ", "E", "e"])
    with pytest.raises(LabelsError, match="more than once"):
        PyctcdecodeDecoder(["<blank>", "a", "a"])


def test_options_are_checked() -> None:
    with pytest.raises(DecoderError, match="beam_width is 0"):
        PyctcdecodeOptions(beam_width=0)
    with pytest.raises(DecoderError, match="token_min_logp is 1"):
        PyctcdecodeOptions(token_min_logp=1.0)
    with pytest.raises(DecoderTypeError, match="give a PyctcdecodeOptions"):
        PyctcdecodeDecoder(PIECES, options="wide")  # type: ignore[arg-type]


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyctcdecode", None)
    with pytest.raises(ImportError, match="pip install --no-deps pyctcdecode"):
        PyctcdecodeDecoder(PIECES)


ARPA = """\\data\\
ngram 1=6
ngram 2=3

\\1-grams:
-1.5\t<unk>\t0
-99\t<s>\t-0.3
-0.7\t</s>\t0
-0.6\tanna\t-0.2
-0.8\tb\t-0.1
-0.9\tba\t0

\\2-grams:
-0.2\t<s> anna
-0.4\tanna b
-1.1\tb </s>

\\end\\
"""


@installed
def test_language_model_scores(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """The formula of pyctcdecode.LanguageModel, by hand: alpha * ln P + beta for each word, </s> with the last."""
    (tmp_path / "toy.arpa").write_text(ARPA)
    lm = LanguageModel.read(tmp_path / "toy.arpa")
    log_probs = spoken(CHARACTERS, ["a", "n", "<blank>", "n", "a", " ", "b"])
    options = PyctcdecodeOptions(alpha=0.4, beta=0.7, unk_score_offset=-2.0)
    found = {h.text: h.lm for h in PyctcdecodeDecoder(CHARACTERS, lm=lm, options=options).decode(log_probs)}
    ln10 = math.log(10)
    assert found["anna b"] == pytest.approx(0.4 * ln10 * (-0.2 - 0.4 - 1.1) + 2 * 0.7, abs=1e-5)
    # "anb" is unknown: back-off of <s>, <unk>, the offset, and then </s> with no back-off
    if "anb" in found:
        assert found["anb"] == pytest.approx(0.4 * ln10 * (-0.3 - 1.5 - 2.0 - 0.7) + 0.7, abs=1e-5)


@installed
def test_the_same_as_with_kenlm(tmp_path) -> None:  # type: ignore[no-untyped-def]
    kenlm = pytest.importorskip("kenlm", reason="kenlm is not installed (the extra `lm`)")
    import pyctcdecode

    (tmp_path / "toy.arpa").write_text(ARPA)
    labels = ["", *CHARACTERS[1:]]
    theirs = pyctcdecode.build_ctcdecoder(labels, str(tmp_path / "toy.arpa"), alpha=0.5, beta=1.5)
    assert kenlm.Model(str(tmp_path / "toy.arpa")).order == 2
    ours = PyctcdecodeDecoder(CHARACTERS, lm=LanguageModel.read(tmp_path / "toy.arpa"))
    for said in (["a", "n", "<blank>", "n", "a", " ", "b"], ["b", "a", " ", "n", " ", "b"], ["n", "n", "a", "b"]):
        log_probs = spoken(CHARACTERS, said, sure=0.7)
        beams = theirs.decode_beams(log_probs, beam_width=32)
        found = ours.decode(log_probs)
        assert found[0].text == beams[0][0]
        assert found[0].score == pytest.approx(beams[0][-1], abs=1e-4)


@installed
def test_a_recognizer_takes_it_by_its_options() -> None:
    if not (MODELS / "starter").is_dir():
        pytest.skip("the starter model is not in this checkout")
    recognizer = load(lm=None, decode=PyctcdecodeOptions(hotword_weight=16.0))
    assert isinstance(recognizer.decoder, PyctcdecodeDecoder)
    transcript = recognizer.transcribe(DEMO / "cities.flac", ["Casablanca", "Montevideo", "Rotterdam"])
    found = [word.entity.phrase for word in transcript.words if word.entity is not None]
    assert "Rotterdam" in found
    assert 0 <= transcript.words[0].start < transcript.words[-1].end <= transcript.duration
