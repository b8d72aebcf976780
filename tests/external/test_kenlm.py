"""Equal to KenLM: models by lmplz, binaries by build_binary, scores by its Python module (tests/external/kenlm)."""

from __future__ import annotations

import json
import math
import random
import re
import warnings
from pathlib import Path

import pytest

from asrbias.lm import LanguageModel, LanguageModelError, estimate

FOLDER = Path(__file__).with_name("kenlm")
SCORES = json.loads((FOLDER / "scores.json").read_text())
MODELS = ["order3.arpa", "order3.probing", "order3.trie", "order3-nostrings.probing"]
MODELS += ["order4-prune0011.arpa", "order4.probing", "order4.trie"]


@pytest.mark.parametrize("name", MODELS)
def test_scores(name: str) -> None:
    model = LanguageModel.read(FOLDER / name)
    assert model.order == int(name[5])
    for text, scores in SCORES[name[5]]:
        assert model.word_scores(text) == pytest.approx([math.log(10) * score for score in scores], abs=1e-5)


@pytest.mark.parametrize("name", ["order3.arpa", "order3.probing", "order3.trie"])
def test_words(name: str) -> None:
    model = LanguageModel.read(FOLDER / name)
    spoken = set((FOLDER / "toy.txt").read_text().split())
    assert set(model.words) == spoken | {"<unk>", "<s>", "</s>"}
    assert all(model.native.find(word) == number for number, word in enumerate(model.words))
    assert "kyiv" in model and "unheard" not in model


def test_a_binary_without_strings_still_scores_and_says_what_it_lacks() -> None:
    model = LanguageModel.read(FOLDER / "order3-nostrings.probing")
    assert "kyiv" in model
    with pytest.raises(LanguageModelError, match="holds no strings"):
        _ = model.words


def test_other_kinds_are_named() -> None:
    with pytest.raises(LanguageModelError, match='of the kind "quantised trie"; only probing and plain trie are read'):
        LanguageModel.read(FOLDER / "order3-quantised.trie")


def read_arpa(path: Path) -> dict[str, tuple[float, float]]:
    rows = [line.split("\t") for line in path.read_text().splitlines() if "\t" in line]
    return {row[1]: (float(row[0]), float(row[2]) if len(row) > 2 else 0.0) for row in rows}


@pytest.mark.parametrize(("name", "order", "prune"), [("order3.arpa", 3, ()), ("order4-prune0011.arpa", 4, (0, 0, 1))])
def test_estimates_equal_lmplz(name: str, order: int, prune: tuple[int, ...], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of discounts that fall back, as lmplz's do
        estimate((FOLDER / "toy.txt").read_text().splitlines(), order, prune=prune).write_arpa(tmp_path / "our.arpa")
    ours, theirs = read_arpa(tmp_path / "our.arpa"), read_arpa(FOLDER / name)
    ours.pop("<s>"), theirs.pop("<s>")  # its probability is never asked for; lmplz writes 0, we -99
    assert ours.keys() == theirs.keys()
    for ngram, values in theirs.items():
        assert ours[ngram] == pytest.approx(values, abs=2e-6), ngram


@pytest.mark.parametrize("name", ["order3.probing", "order3.trie", "order3.arpa"])
def test_cut_short_anywhere(name: str, tmp_path: Path) -> None:
    """Of a KenLM binary also the strings at its end are needed."""
    data = (FOLDER / name).read_bytes().rstrip()
    for size in [*random.Random(1).sample(range(len(data)), 60), len(data) - 1]:
        (tmp_path / "cut").write_bytes(data[:size])
        with pytest.raises(LanguageModelError, match=r"cut.*(short|damaged|empty|must|no line|counts)"):
            LanguageModel.read(tmp_path / "cut")


@pytest.mark.parametrize("name", ["order3.probing", "order3.trie", "order4.trie", "order3.arpa"])
def test_damaged_bytes_never_do_worse_than_a_wrong_score(name: str, tmp_path: Path) -> None:
    """A flipped bit in a probability cannot be told; whatever leads outside the file, or is no number, must be."""
    data = (FOLDER / name).read_bytes()
    draw = random.Random(2)
    refused = 0
    for trial in range(300):
        damaged = bytearray(data)
        for _ in range(draw.choice([1, 3, 30])):
            damaged[draw.randrange(160 if trial % 3 == 0 else len(data))] = draw.choice([0, 255, draw.randrange(256)])
        (tmp_path / "bad").write_bytes(damaged)
        try:
            model = LanguageModel.read(tmp_path / "bad")
        except LanguageModelError as error:
            refused += 1
            assert re.search(r"bad cannot be read as a language model: .*\.$", str(error))
            continue
        assert all(math.isfinite(score) for score in model.word_scores("ana saw bo in kyiv and unheard"))
    assert refused > 30
