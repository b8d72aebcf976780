"""asrbias.compat.pyctcdecode beside what pyctcdecode's own tests (tests/external/pyctcdecode) ask."""

from __future__ import annotations

import importlib.util
import itertools
import json
import logging
import math
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asrbias.alignment import LogProbsError
from asrbias.compat import kenlm
from asrbias.compat.pyctcdecode import (
    Alphabet,
    BeamSearchDecoderCTC,
    HotwordScorer,
    LanguageModel,
    MultiLanguageModel,
    build_ctcdecoder,
)
from asrbias.compat.pyctcdecode.language_model import AbstractLanguageModel
from asrbias.decode_options import DecoderError, DecoderTypeError
from asrbias.decoder import UnusableEntityWarning

LABELS = ["", " ", "a", "b", "n"]
ARPA = """\\data\\
ngram 1=7
ngram 2=3

\\1-grams:
-1.5\t<unk>\t0
-99\t<s>\t-0.3
-0.7\t</s>\t0
-0.6\tanna\t-0.2
-0.8\tb\t-0.1
-0.9\tba\t0
-1.1\tab\t0

\\2-grams:
-0.2\t<s> anna
-0.4\tanna b
-1.1\tb </s>

\\end\\
"""
LN10 = math.log(10)
WIDE = {"beam_width": 500, "beam_prune_logp": -500.0, "token_min_logp": -100.0}
def _installed(name: str) -> bool:
    """A module with a file: the folders tests/external/kenlm and .../pyctcdecode pass for packages without one."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


installed = {name: _installed(name) for name in ("kenlm", "pyctcdecode", "transformers")}


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not installed[package], reason=f"{package} is not installed")


@pytest.fixture
def arpa(tmp_path: Path) -> str:
    (tmp_path / "toy.arpa").write_text(ARPA)
    return str(tmp_path / "toy.arpa")


def spoken(said: list[str], labels: list[str] = LABELS, sure: float = 0.9) -> np.ndarray:
    """[T, V] log probabilities: in each frame one label has the probability `sure`, the others share the rest."""
    probabilities = np.full((len(said), len(labels)), (1 - sure) / (len(labels) - 1))
    for frame, label in enumerate(said):
        probabilities[frame, labels.index(label)] = sure
    return np.log(probabilities)


ANNA_B = ["a", "n", "", "n", "a", " ", "b"]


def ending_in_b() -> np.ndarray:
    """ "anna b" and others: a space may stand in one frame only, and in the last frame there is a b."""
    log_probs = spoken(ANNA_B, sure=0.5)
    log_probs[:, 1] = -np.inf
    log_probs[5, 1] = math.log(0.5)
    log_probs[6] = spoken(["b"], sure=1 - 1e-12)[0]
    return log_probs


def by_text(beams: list[tuple]) -> dict[str, tuple]:
    assert len({beam[0] for beam in beams}) == len(beams)
    return {beam[0]: beam for beam in beams}


# --- scores ---


def test_a_text_has_the_probability_of_all_its_alignments() -> None:
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(5), size=5))
    sums: dict[str, float] = {}
    for path in itertools.product(range(5), repeat=5):
        text = " ".join("".join(LABELS[label] for label, _ in itertools.groupby(path)).split())
        score = sum(log_probs[frame, label] for frame, label in enumerate(path))
        sums[text] = np.logaddexp(sums.get(text, -np.inf), score)
    beams = build_ctcdecoder(LABELS).decode_beams(log_probs, **{**WIDE, "beam_width": 2000})
    assert {text: beam[3] for text, beam in by_text(beams).items()} == pytest.approx(sums, abs=1e-6)
    assert [beam[4] for beam in beams] == sorted((beam[3] for beam in beams), reverse=True)


def test_logits_log_probabilities_and_probabilities_are_one() -> None:
    log_probs = np.log(np.random.default_rng(1).dirichlet(np.ones(5), size=8))
    decoder = build_ctcdecoder(LABELS)
    beams = decoder.decode_beams(log_probs)[:5]
    for same in (np.exp(log_probs), log_probs + 3.0, log_probs.astype(np.float32)):
        found = decoder.decode_beams(same)[:5]
        assert [beam[0] for beam in found] == [beam[0] for beam in beams]
        assert [beam[3] for beam in found] == pytest.approx([beam[3] for beam in beams], abs=1e-5)


def test_language_model_scores(arpa: str) -> None:
    """alpha * (log P + the offset of unknown words) + beta for each word, </s> with the last."""
    decoder = build_ctcdecoder(LABELS, arpa, alpha=0.4, beta=0.7, unk_score_offset=-2.0)
    found = by_text(decoder.decode_beams(ending_in_b(), **WIDE))
    expected = {
        "anna b": 0.4 * LN10 * (-0.2 - 0.4 - 1.1) + 2 * 0.7,
        "anb": 0.4 * LN10 * (-0.3 - 1.5 - 2.0 - 0.7) + 0.7,
        "ab": 0.4 * LN10 * (-0.3 - 1.1 - 0.7) + 0.7,
    }
    for text, score in expected.items():
        assert found[text][4] - found[text][3] == pytest.approx(score, abs=1e-6), text
    decoder.reset_params(lm_score_boundary=False)
    found = by_text(decoder.decode_beams(ending_in_b(), **WIDE))
    assert found["anna b"][4] - found["anna b"][3] == pytest.approx(0.4 * LN10 * (-0.6 - 0.4) + 1.4, abs=1e-6)


def test_a_separator_at_the_end(arpa: str) -> None:
    """Surely there, it costs an unknown word, as in pyctcdecode; maybe there, it costs nothing."""
    decoder = build_ctcdecoder(LABELS, arpa, alpha=1.0, beta=0.0, unk_score_offset=-2.0)
    unknown = -1.5 - 2.0 - 0.7 - 0.1  # with the back-off of b, instead of "b </s>"
    for sure, end in ((1 - 1e-12, unknown), (0.6, -1.1)):
        log_probs = np.concatenate([ending_in_b(), spoken([" "], sure=sure)])
        best = by_text(decoder.decode_beams(log_probs, token_min_logp=-7.0))["anna b"]
        assert best[4] - best[3] == pytest.approx(LN10 * (-0.2 - 0.4 + end), abs=1e-6)
    empty = by_text(decoder.decode_beams(spoken([""] * 3)))[""]
    assert empty[4] - empty[3] == pytest.approx(LN10 * (-0.3 - 1.5 - 2.0 - 0.7), abs=1e-6)
    assert empty[1] == ()  # silence leaves the state as it was


def test_words_beside_the_unigrams_cost_the_offset_and_keep_their_own_score(arpa: str) -> None:
    decoder = build_ctcdecoder(LABELS, arpa, ["anna"], alpha=1.0, beta=0.0, unk_score_offset=-0.5)
    found = by_text(decoder.decode_beams(ending_in_b(), **WIDE))
    assert found["anna b"][4] - found["anna b"][3] == pytest.approx(LN10 * (-0.2 - 0.4 - 0.5 - 1.1), abs=1e-6)


def test_a_state_leads_on_as_if_nothing_had_been_cut(arpa: str) -> None:
    decoder = build_ctcdecoder(LABELS, arpa, alpha=2.0, beta=0.0)
    said = ["a", "n", "", "n", "a", " "]
    _, state, *_ = decoder.decode_beams(spoken(said))[0]
    assert state == ("anna",)
    unsure = spoken(["a", "b", "b"], sure=0.5)
    found = by_text(decoder.decode_beams(unsure, lm_start_state=state, **WIDE))
    lm = {text: beam[4] - beam[3] for text, beam in found.items()}
    assert lm["b"] == pytest.approx(2.0 * LN10 * (-0.4 - 1.1), abs=1e-6)
    assert lm["ab"] == pytest.approx(2.0 * LN10 * (-0.2 - 1.1 - 0.7), abs=1e-6)
    assert all(0 <= begin < end <= 3 for beam in found.values() for _, (begin, end) in beam[2])
    with pytest.raises(DecoderTypeError, match="state is int; give one"):
        decoder.decode_beams(unsure, lm_start_state=5)


def test_several_models_count_by_their_mean(arpa: str) -> None:
    models = [LanguageModel(arpa, alpha=0.5, beta=0.0), LanguageModel(arpa, alpha=1.5, beta=1.0)]
    alphabet = Alphabet.build_alphabet(LABELS)
    log_probs = spoken(ANNA_B, sure=0.6)
    one, two = (by_text(BeamSearchDecoderCTC(alphabet, m).decode_beams(log_probs, **WIDE))["anna b"] for m in models)
    both = by_text(BeamSearchDecoderCTC(alphabet, MultiLanguageModel(models)).decode_beams(log_probs, **WIDE))["anna b"]
    assert both[4] == pytest.approx((one[4] + two[4]) / 2, abs=1e-6)


def test_a_model_of_ones_own_decides_between_what_is_found() -> None:
    class Hater(AbstractLanguageModel):
        order = 1  # type: ignore[assignment]

        def get_start_state(self) -> int:
            return 0

        def score_partial_token(self, partial_token: str) -> float:
            return 0.0

        def score(self, prev_state: int, word: str, is_last_word: bool = False) -> tuple[float, int]:
            return -9.0 * word.count("n"), prev_state + 1

    decoder = BeamSearchDecoderCTC(Alphabet.build_alphabet(LABELS), Hater())
    beams = decoder.decode_beams(spoken(ANNA_B, sure=0.7), beam_prune_logp=-50.0)
    assert "n" not in beams[0][0] and beams[0][4] == pytest.approx(beams[0][3])
    assert {beam[1] for beam in beams} <= {1, 2, 3, 4}  # words, as the model counts them


# --- words and frames ---


def test_pieces_words_and_frames() -> None:
    labels = ["<unk>", "▁", "▁an", "n", "a", "<pad>"]
    decoder = build_ctcdecoder(labels)
    assert Alphabet.build_alphabet(labels).labels == ["▁⁇▁", "▁", "▁an", "n", "a", ""]
    said = ["<pad>", "▁an", "n", "n", "<pad>", "<unk>", "a", "<pad>", "▁", "<pad>", "n", "a"]
    text, state, words, _, _ = decoder.decode_beams(spoken(said, labels, sure=0.99))[0]
    assert (text, state) == ("ann ⁇ a na", None)
    # A word begins with the "▁" that stands alone before it; blanks at its end are not its own.
    assert words == [("ann", (1, 4)), ("⁇", (5, 6)), ("a", (6, 7)), ("na", (8, 12))]


def test_decode_is_the_best_beam(arpa: str) -> None:
    random = np.random.default_rng(3)
    decoders = [build_ctcdecoder(LABELS), build_ctcdecoder(LABELS, arpa)]
    for _ in range(8):
        logits = random.normal(size=(12, 5)) * 6
        for decoder in decoders:
            for hotwords in (None, ["anna", "bb"]):
                best = decoder.decode_beams(logits, prune_history=True, hotwords=hotwords)[0]
                assert decoder.decode(logits, hotwords=hotwords) == best[0]
    batch = [random.normal(size=(length, 5)) * 3 for length in (0, 5, 30)]
    assert decoders[1].decode_batch(None, batch) == [decoders[1].decode(logits) for logits in batch]
    assert [beams[0][:1] + beams[0][2:] for beams in map(decoders[1].decode_beams, batch)] == [
        beams[0] for beams in decoders[1].decode_beams_batch(None, batch)
    ]


def test_a_copy_in_another_process_finds_its_model(arpa: str) -> None:
    decoder = build_ctcdecoder(LABELS, arpa)
    copy = pickle.loads(pickle.dumps(decoder))
    assert copy.decode(spoken(ANNA_B)) == decoder.decode(spoken(ANNA_B)) == "anna b"


# --- hotwords ---


def test_hotwords_pay_for_whole_words_between_spaces() -> None:
    scorer = HotwordScorer.build_scorer(["tyrion lannister", "hodor", "hodor,", "U.S.A."], weight=2.0)
    for text, count in {
        "i work with hodor and friends": 1,
        "hodor meets tyrion hodor": 3,
        "hodor. hodors Hodor": 0,
        "hodor, lannister": 2,
        "in the U.S.A.": 1,
    }.items():
        assert scorer.score(text) == 2.0 * count, text
    assert "hod" in scorer and "dor" not in scorer and "U.S" in scorer
    assert scorer.score_partial_token("hod") == pytest.approx(2.0 * 3 / 5)
    assert scorer.score_partial_token("hodor,") == 2.0
    assert scorer.score_partial_token("hodorx") == 0.0


def test_what_hotwords_add() -> None:
    decoder = build_ctcdecoder(LABELS)
    log_probs = spoken(ANNA_B, sure=0.5)
    for weight in (3.0, -0.5, 0.0):
        found = by_text(decoder.decode_beams(log_probs, hotwords=["bab anna", " b "], hotword_weight=weight, **WIDE))
        assert found["anna b"][4] - found["anna b"][3] == pytest.approx(2 * weight, abs=1e-6)
        assert found["anb"][4] == found["anb"][3]
    assert set(decoder.decode(log_probs, hotwords=["bab"], hotword_weight=30.0).split()) == {"bab"}
    assert decoder.decode(log_probs, hotwords=[" ", ""]) == decoder.decode(log_probs)


def test_hotwords_that_cannot_be_found_are_named() -> None:
    decoder = build_ctcdecoder(LABELS)
    with pytest.warns(UnusableEntityWarning, match="1 of the hotwords cannot be spelled with these labels: 'Anna'"):
        decoder.decode(spoken(ANNA_B), hotwords=["Anna", "b"])
    with pytest.raises(DecoderTypeError, match="hotwords is the string 'anna'"):
        decoder.decode(spoken(ANNA_B), hotwords="anna")
    with pytest.raises(DecoderTypeError, match="hotwords holds 7"):
        decoder.decode(spoken(ANNA_B), hotwords=["anna", 7])  # type: ignore[list-item]


# --- what is refused ---


@pytest.mark.parametrize("options, reason", [
    ({"beam_width": 0}, "beam_width is 0"),
    ({"beam_prune_logp": 1.0}, "beam_prune_logp is 1"),
    ({"token_min_logp": math.nan}, "token_min_logp is NaN"),
    ({"hotword_weight": math.inf}, "hotword_weight is inf"),
])  # fmt: skip
def test_options_are_checked(options: dict[str, float], reason: str) -> None:
    with pytest.raises(DecoderError, match=reason):
        build_ctcdecoder(LABELS).decode_beams(spoken(ANNA_B), **options)


def test_bad_matrices() -> None:
    decoder = build_ctcdecoder(LABELS)
    with pytest.raises(LogProbsError, match=r"shape \(7, 4\); they must be \[T, 5\]"):
        decoder.decode(spoken(ANNA_B)[:, 1:])
    broken = spoken(ANNA_B)
    broken[2, 1] = np.nan
    with pytest.raises(LogProbsError, match="hold NaN"):
        decoder.decode(broken)


def test_models_that_cannot_be_used(arpa: str, tmp_path: Path) -> None:
    decoder = build_ctcdecoder(LABELS, arpa, alpha=-1.0)
    with pytest.raises(DecoderError, match="alpha is -1"):
        decoder.decode(spoken(ANNA_B))
    decoder.cleanup()
    with pytest.raises(DecoderError, match="language model is gone"):
        decoder.decode(spoken(ANNA_B))
    with pytest.raises(DecoderTypeError, match="kenlm_model is int"):
        LanguageModel(5)
    with pytest.raises(FileNotFoundError):
        build_ctcdecoder(LABELS, str(tmp_path / "none.arpa"))
    with pytest.raises(DecoderError, match="not given as a file"):
        LanguageModel(LanguageModel(arpa).model).save_to_dir(str(tmp_path))


def test_the_hub_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="pip install huggingface_hub"):
        BeamSearchDecoderCTC.load_from_hf_hub("a/b")


# --- files ---


def test_saved_and_read_again(arpa: str, tmp_path: Path) -> None:
    decoder = build_ctcdecoder(LABELS, arpa, alpha=0.3, beta=0.2, unk_score_offset=-4.0, lm_score_boundary=False)
    folder = tmp_path / "saved"
    folder.mkdir()
    decoder.save_to_dir(str(folder))
    (folder / "preprocessor_config.json").write_text("{}")  # others' files are left aside
    again = BeamSearchDecoderCTC.load_from_dir(str(folder), unigram_encoding="utf-8")
    assert again.decode_beams(spoken(ANNA_B, sure=0.5)) == decoder.decode_beams(spoken(ANNA_B, sure=0.5))
    assert json.loads((folder / "language_model" / "attrs.json").read_text())["score_boundary"] is False
    shutil.rmtree(folder / "language_model")
    assert BeamSearchDecoderCTC.load_from_dir(str(folder)).decode(spoken(ANNA_B)) == "anna b"


# --- other packages ---


def test_kenlm_as_far_as_it_is_asked(arpa: str) -> None:
    model = kenlm.Model(arpa)
    assert model.order == 2 and "anna" in model and "bab" not in model
    assert model.score("anna b") == pytest.approx(-0.2 - 0.4 - 1.1)
    assert model.score("anna b", eos=False) == pytest.approx(-0.2 - 0.4)
    assert model.perplexity("anna b") == pytest.approx(10 ** (1.7 / 3))


@needs("kenlm")
def test_a_model_of_kenlm_is_read_from_its_file(arpa: str) -> None:
    import kenlm as theirs

    model = LanguageModel(theirs.Model(arpa), ["anna", "b"], alpha=0.5)
    assert model.path == Path(arpa) and model.order == 2
    decoder = BeamSearchDecoderCTC(Alphabet.build_alphabet(LABELS), model)
    assert decoder.decode(spoken(ANNA_B)) == "anna b"
    assert kenlm.Model(arpa).score("anna bab") == pytest.approx(theirs.Model(arpa).score("anna bab"), abs=1e-5)


@needs("pyctcdecode")
@pytest.mark.parametrize("with_lm", [False, True])
def test_the_same_as_pyctcdecode(arpa: str, with_lm: bool) -> None:
    """Best texts, and the scores of texts that both return."""
    import pyctcdecode

    if with_lm and not installed["kenlm"]:
        pytest.skip("kenlm is not installed")
    random = np.random.default_rng(7)
    model = arpa if with_lm else None
    theirs, ours = pyctcdecode.build_ctcdecoder(LABELS, model), build_ctcdecoder(LABELS, model)
    for hotwords in (None, ["anna", "bab"]):
        same = 0
        for _ in range(8):
            said = [*random.choice(["anna ", "ba ", "ab ", "b "], size=3), "b"]
            log_probs = spoken([*"".join(said).replace("nn", "n_n")], ["_", *LABELS[1:]], sure=0.9)
            log_probs[:-1] += random.normal(size=log_probs[:-1].shape) * 0.5
            log_probs[-1] = spoken(["b"], sure=0.99999)[0]  # no doubt about a separator at the end
            beams, found = (decoder.decode_beams(log_probs, hotwords=hotwords) for decoder in (theirs, ours))
            same += beams[0][0] == found[0][0]
            found_by_text = by_text(found)
            for text, _, _, log_prob, score in beams[:3]:
                if text in found_by_text:
                    assert found_by_text[text][4] - found_by_text[text][3] == pytest.approx(score - log_prob, abs=1e-4)
        assert same >= 7


INSTALLED = """
import asrbias.compat.pyctcdecode as ours
ours.install(); ours.install()
import pyctcdecode, pyctcdecode.alphabet
from pyctcdecode.constants import DEFAULT_BEAM_WIDTH
import kenlm, importlib.util
assert pyctcdecode is ours and pyctcdecode.BeamSearchDecoderCTC is ours.BeamSearchDecoderCTC
assert pyctcdecode.alphabet.UNK_TOKEN == "⁇" and DEFAULT_BEAM_WIDTH == 100
assert importlib.util.find_spec("pyctcdecode") is not None and importlib.util.find_spec("kenlm") is not None
import sys, types
sys.modules["pyctcdecode"] = types.ModuleType("pyctcdecode")
try:
    ours.install()
except ImportError as error:
    assert "call install() first" in str(error)
else:
    raise AssertionError
"""


def test_install() -> None:
    subprocess.run([sys.executable, "-c", INSTALLED], check=True)


HUGGING_FACE = """
import json, sys
from pathlib import Path
from asrbias.torchaudio_import import import_torchaudio
import_torchaudio()  # transformers imports it, and its native part needs CUDA's libraries
import asrbias.compat.pyctcdecode as ours
ours.install()
import numpy as np
from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ProcessorWithLM
folder, arpa = Path(sys.argv[1]), sys.argv[2]
labels = ["<pad>", "<s>", "</s>", "<unk>", "|", "a", "b", "n"]
(folder / "vocab.json").write_text(json.dumps({label: place for place, label in enumerate(labels)}))
tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
decoder = ours.build_ctcdecoder(labels, arpa)
made = Wav2Vec2ProcessorWithLM(Wav2Vec2FeatureExtractor(), tokenizer, decoder)
made.save_pretrained(str(folder / "saved"))
processor = Wav2Vec2ProcessorWithLM.from_pretrained(str(folder / "saved"), alpha=0.7)
assert processor.language_model.alpha == 0.7 and type(processor.decoder) is ours.BeamSearchDecoderCTC
logits = np.full((2, 7, 8), -4.0, np.float32)
for row, said in enumerate((["a", "n", "<pad>", "n", "a", "|", "b"], ["b", "a", "|", "|", "a", "b", "<pad>"])):
    for frame, label in enumerate(said):
        logits[row, frame, labels.index(label)] = 4.0
found = processor.batch_decode(logits, hotwords=["anna"], output_word_offsets=True, n_best=2)
assert [texts[0] for texts in found.text] == ["anna b", "ba ab"], found.text
assert found.word_offsets[0][0] == [
    {"word": "anna", "start_offset": 0, "end_offset": 5}, {"word": "b", "start_offset": 6, "end_offset": 7}]
assert processor.decode(logits[1]).text == "ba ab"
assert isinstance(found.lm_score[0][0], float) and found.lm_score[0][0] != found.logit_score[0][0]
"""


@needs("transformers")
def test_wav2vec2_processor_with_lm(arpa: str, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    done = subprocess.run([sys.executable, "-c", HUGGING_FACE, str(tmp_path), arpa], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_warnings_are_logged(arpa: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        LanguageModel(arpa)
        LanguageModel(arpa, ["x", "y"])
        build_ctcdecoder(["a", "b", ""])
    said = " ".join(record.message for record in caplog.records)
    assert "No unigrams were given" in said and "fewer than a tenth" in said and "No label is ' '" in said
