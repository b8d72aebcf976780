"""Language models: reading, scores by hand, the compact form, and one sentence for every bad file."""

from __future__ import annotations

import gzip
import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asrbias.arpa import ArpaModel
from asrbias.lm import LanguageModel, LanguageModelError, estimate

# "the cat" is seen, "cat sat" is seen, "the cat sat" too; all else backs off.
ARPA = """\\data\\
ngram 1=6
ngram 2=3
ngram 3=1

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.8\t</s>
-0.6\tthe\t-0.3
-0.9\tcat\t-0.2
-1.1\tsat

\\2-grams:
-0.2\t<s> the\t-0.1
-0.4\tthe cat\t-0.7
-0.5\tcat sat

\\3-grams:
-0.05\tthe cat sat

\\end\\
"""


def write(folder: Path, text: str, name: str = "toy.arpa") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def log10(model: LanguageModel, text: str) -> list[float]:
    return [score / math.log(10) for score in model.word_scores(text)]


def test_scores_by_hand(tmp_path: Path) -> None:
    model = LanguageModel.read(write(tmp_path, ARPA))
    assert (model.order, model.counts) == (3, (6, 3, 1))
    assert model.words == ("<unk>", "<s>", "</s>", "the", "cat", "sat")
    assert log10(model, "the cat sat") == pytest.approx([-0.2, -0.1 - 0.4, -0.05, -0.8])
    # cat after <s>: back-off of <s>. dog: <unk>, with the back-off of cat. sat: after <unk>, which has none.
    assert log10(model, "cat dog sat") == pytest.approx([-0.5 - 0.9, -0.2 - 1.0, -1.1, -0.8])
    assert log10(model, "the sat") == pytest.approx([-0.2, -0.1 - 0.3 - 1.1, -0.8])
    assert log10(model, "") == pytest.approx([-0.5 - 0.8])
    assert model.score("the cat sat") == pytest.approx(sum(model.word_scores("the cat sat")))
    assert model.native.unigram(model.native.find("cat")) == pytest.approx(-0.9 * math.log(10))


def test_a_missing_suffix_does_not_hide_what_is_longer(tmp_path: Path) -> None:
    """SRILM's pruning may leave "the cat sat" without "cat sat"."""
    text = ARPA.replace("ngram 2=3", "ngram 2=2").replace("-0.5\tcat sat\n", "")
    model = LanguageModel.read(write(tmp_path, text))
    assert log10(model, "the cat sat")[2] == pytest.approx(-0.05)
    assert log10(model, "cat sat")[1] == pytest.approx(-0.2 - 1.1)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "some words before it\n\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\t", "  "),
        lambda text: text.replace("-0.05", "-5e-2").replace("-0.8", "-.8").replace("-99", "-9.9E+1"),
        lambda text: text.replace("<unk>", "<UNK>"),
    ],
)
def test_other_ways_to_write_it(change: Callable[[str], str], tmp_path: Path) -> None:
    model = LanguageModel.read(write(tmp_path, change(ARPA)))
    assert log10(model, "the cat dog") == pytest.approx([-0.2, -0.1 - 0.4, -0.7 - 0.2 - 1.0, -0.8])


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "toy.arpa.gz"
    path.write_bytes(gzip.compress(ARPA.encode()))
    assert log10(LanguageModel.read(path), "the")[0] == pytest.approx(-0.2)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LanguageModelError, match="gzip'd, and broken or cut short"):
        LanguageModel.read(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (ARPA, "", "it is empty"),
        (ARPA, "no model at all\n", r"it has no line \\data\\"),
        ("ngram 3=1", "ngram 4=1", r'line 4 \("ngram 4=1"\): a line "ngram 3=COUNT"'),
        ("ngram 2=3", "ngram 2=two", "line 3"),
        ("ngram 2=3", "ngram 2=999999999999", "so many n-grams do not fit in"),
        ("ngram 2=3", "ngram 2=4", r"3 2-grams stand before this line, but the head of the file counts 4"),
        ("ngram 2=3", "ngram 2=2", "the 2-gram is one more than was counted"),
        ("-1.0\t<unk>", "-1.0\tdog", "it has no <unk>"),
        ("-99\t<s>\t-0.5", "-99\tdog\t-0.5", "a word that is not among the 1-grams"),
        ("-0.8\t</s>", "-0.8\tdog", "it has no </s>"),
        ("-0.4\tthe cat", "nan\tthe cat", "the 2-gram does not begin with a number"),
        ("-0.4\tthe cat", "-inf\tthe cat", "the 2-gram does not begin with a number"),
        ("-0.4\tthe cat", "0.4\tthe cat", r'line 16 \("0.4.the cat.-0.7"\): the 2-gram has a log probability above 0'),
        ("-0.4\tthe cat", "-1e999\tthe cat", "not a finite number"),
        ("the cat\t-0.7", "the cat\tx", "does not end with a number"),
        ("the cat\t-0.7", "the cat\t1e99", "back-off weight that is not a finite number"),
        ("the cat\t-0.7", "the cat\t-0.7\t3", "too many fields"),
        ("-0.5\tcat sat", "-0.5\tcat", "too few fields"),
        ("-0.5\tcat sat", "-0.5\tthe cat", "the 2-gram is listed twice"),
        ("-1.1\tsat", "-1.1\tcat", "the 1-gram is listed twice"),
        ("-0.05\tthe cat sat", "-0.05\tthe sat cat", "the 3-gram has a history that is not listed itself"),
        ("-0.05\tthe cat sat", "-0.05\tthe cat sat\t-1", "a back-off weight, but nothing is longer"),
        ("\\2-grams:", "\\3-grams:", r"\\2-grams: must stand here"),
        ("\\end\\\n", "", r"it is cut short: it ends after line 21 where \\end\\ must follow"),
        ("\\end\\\n", "\\end\\\nmore\n", r"nothing may follow \\end\\"),
        ("\\3-grams:", "\\end\\", r"\\3-grams: must stand here"),
    ],
)
def test_bad_arpa_is_one_sentence(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in ARPA
    path = write(tmp_path, ARPA.replace(old, new, 1))
    with pytest.raises(LanguageModelError, match=says) as raised:
        LanguageModel.read(path)
    assert str(raised.value).startswith(f"{path} cannot be read as a language model: ")
    assert "\n" not in str(raised.value) and "take the file anew" in str(raised.value)


def test_binary_rubbish_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(LanguageModelError, match="no line"):
        LanguageModel.read(tmp_path / "rubbish")
    (tmp_path / "zip").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(LanguageModelError, match="damaged or holds something else"):
        LanguageModel.read(tmp_path / "zip")
    with pytest.raises(FileNotFoundError):
        LanguageModel.read(tmp_path / "none")


def toy() -> ArpaModel:
    return estimate(["the cat sat", "the dog sat", "a cat ran", "the cat ran", "a dog sat down", "the dog ran"] * 3, 3)


@pytest.mark.filterwarnings("ignore:.*too little text")
@pytest.mark.parametrize("ending", ["arpa", "arpa.gz", "npz"])
def test_written_models_are_read_again(ending: str, tmp_path: Path) -> None:
    model = toy()
    model.write(tmp_path / f"toy.{ending}")
    again = LanguageModel.read(tmp_path / f"toy.{ending}")
    assert again.words == model.words and again.counts == model.counts
    for text in map(" ".join, itertools.permutations(["the", "cat", "sat", "unheard"], 3)):
        before = model.language_model().word_scores(text)
        assert again.word_scores(text) == pytest.approx(before, abs=2e-3 if ending == "npz" else 1e-5)
    model.write(tmp_path / f"again.{ending}")
    assert (tmp_path / f"again.{ending}").read_bytes() == (tmp_path / f"toy.{ending}").read_bytes()


@pytest.mark.filterwarnings("ignore:.*too little text")
def test_arpa_text_is_sorted(tmp_path: Path) -> None:
    toy().write_arpa(tmp_path / "toy.arpa")
    sections = (tmp_path / "toy.arpa").read_text().split("-grams:\n")[1:]
    words = [line.split("\t")[1] for line in sections[0].split("\n\n")[0].splitlines()]
    assert words == ["<unk>", "<s>", "</s>", *sorted(words[3:])]
    bigrams = [line.split("\t")[1].split() for line in sections[1].split("\n\n")[0].splitlines()]
    assert bigrams == sorted(bigrams, key=lambda pair: [words.index(word) for word in pair])


def test_an_unknown_ending_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="too little text"), pytest.raises(LanguageModelError, match=r"use .arpa"):
        toy().write(tmp_path / "toy.bin")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.*too little text")
def test_damaged_compact_files(tmp_path: Path) -> None:
    toy().write(tmp_path / "toy.npz")
    data = (tmp_path / "toy.npz").read_bytes()
    bad = tmp_path / "bad.npz"
    draw = random.Random(3)
    for trial in range(150):
        damaged = bytearray(data if trial % 2 else data[: draw.randrange(5, len(data))])
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        bad.write_bytes(damaged)
        try:
            assert math.isfinite(LanguageModel.read(bad).score("the cat"))
        except LanguageModelError as error:
            assert str(error).endswith(".") and "\n" not in str(error)


@pytest.mark.filterwarnings("ignore:.*too little text")
@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("format", lambda _: np.frombuffer(b"asrbias n-grams 9", np.uint8), "only 'asrbias n-grams 1' is known"),
        ("word2", None, "'word2' is missing"),
        ("word2", lambda _: np.zeros(3, np.uint16), r"word2 is uint16 of shape \(3,\)"),
        ("probability1", lambda old: old.astype(float), "probability1 is float64"),
        ("probability2", lambda old: np.full_like(old, 5), "2-gram number 0 has a log probability above 0"),
        ("word3", lambda old: np.full_like(old, 999), "3-gram number 0 has a word out of range"),
        ("followers2", lambda old: np.full_like(old, 2**15), "word2 is"),
        ("words", lambda _: np.frombuffer(b"<unk>\n<s>\n</s>\na\na\na\na\na\na\na", np.uint8), "listed twice"),
        ("words", lambda _: np.array([None, "x"], object), "damaged or holds something else"),
    ],
)
def test_compact_files_with_impossible_contents(
    name: str, change: Callable[[np.ndarray], np.ndarray] | None, says: str, tmp_path: Path
) -> None:
    toy().write(tmp_path / "toy.npz")
    with np.load(tmp_path / "toy.npz") as archive:
        arrays = dict(archive)
    old = arrays.pop(name)
    if change is not None:
        arrays[name] = change(old)
    np.savez(tmp_path / "bad.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(LanguageModelError, match=says):
        LanguageModel.read(tmp_path / "bad.npz")
