"""Pronunciations: lexicon, endings, g2p_en's network in batches, users' pronunciations, phrases."""

from __future__ import annotations

import gzip
import importlib.util
import itertools
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asrbias import g2p, lexicon, phones
from asrbias.lexicon import Lexicon, cmudict
from asrbias.phones import (
    PHONES,
    UnpronounceableError,
    parse_pronunciation,
    pronounce,
    pronounce_phrase,
    pronounceable,
)

needs_g2p = pytest.mark.skipif(importlib.util.find_spec("g2p_en") is None, reason="g2p_en is not installed")


def said(word: str) -> list[str]:
    """The pronunciations of a word, each as a string that can be read."""
    return [" ".join(p) for p in pronounce([word])[0]]


@pytest.fixture(autouse=True)
def fresh_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "_cache", {})


@pytest.fixture
def without_g2p(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    g2p.network.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    yield
    g2p.network.cache_clear()


# --- the lexicon -----------------------------------------------------------------------------------------------------


def test_lexicon_entries_lose_stress_comments_and_repeats(tmp_path: Path) -> None:
    text = "aalto AA1 L T OW2 # name, finnish\nread R EH1 D\nread(2) R IY1 D\nread(3) R EH0 D\n"
    (tmp_path / "toy.gz").write_bytes(gzip.compress(text.encode()))
    toy = Lexicon.read(tmp_path / "toy.gz")
    assert dict(toy) == {"aalto": (("AA", "L", "T", "OW"),), "read": (("R", "EH", "D"), ("R", "IY", "D"))}
    assert len(toy) == 2 and "read" in toy and "kyiv" not in toy
    with pytest.raises(KeyError):
        toy["kyiv"]


def test_the_whole_dictionary_is_there_and_speaks_arpabet() -> None:
    text = gzip.decompress((lexicon.lexicon_folder() / "cmudict.dict.gz").read_bytes()).decode()
    expected: dict[str, set[str]] = {}
    for head, line in re.findall(r"^([^ (]+)(?:\(\d\))? ([^#\n]+)", text, flags=re.M):
        expected.setdefault(head, set()).add(re.sub("[012]", "", line).strip())
    found = {word: {" ".join(p) for p in entries} for word, entries in cmudict().items()}
    assert found == expected and len(found) == 126_052
    assert {phone for entries in found.values() for p in entries for phone in p.split()} == set(PHONES)


def test_phones_are_39_sorted_without_stress() -> None:
    assert len(PHONES) == 39 and tuple(sorted(PHONES)) == PHONES
    assert not any(phone[-1].isdigit() for phone in PHONES)


def test_data_comes_with_its_notice_and_the_file_is_reproducible() -> None:
    folder = lexicon.lexicon_folder()
    assert "Carnegie Mellon University" in (folder / "cmudict.LICENSE").read_text()
    assert (folder / "cmudict.dict.gz").read_bytes()[4:8] == b"\0\0\0\0"  # no time of making


def test_data_is_found_beside_the_modules_of_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "asrbias"
    monkeypatch.setattr(lexicon, "__file__", str(installed / "lexicon.py"))
    with pytest.raises(FileNotFoundError, match="the pronunciation data is missing"):
        lexicon.lexicon_folder()
    (installed / "lexicons").mkdir(parents=True)
    assert lexicon.lexicon_folder() == installed / "lexicons"


# --- words -----------------------------------------------------------------------------------------------------------


def test_listed_words_in_any_case_and_order() -> None:
    assert pronounce(["keep", "READ", "keep"]) == [
        (("K", "IY", "P"),),
        (("R", "EH", "D"), ("R", "IY", "D")),
        (("K", "IY", "P"),),
    ]
    assert pronounce([]) == []


def test_letters_are_said_by_name() -> None:
    assert said("x") == ["EH K S"]
    assert said("w") == ["D AH B AH L Y UW"]
    assert said("a") == ["AH", "EY"]  # the article first
    assert all(said(letter) for letter in "abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("fitch's", "F IH CH IH Z"),  # after a sibilant
        ("keep's", "K IY P S"),  # after a voiceless sound
        ("sahara's", "S AH HH EH R AH Z"),  # after a voiced one
        ("cabbages'", "K AE B IH JH IH Z"),  # of a plural
        ("cabbage'll", "K AE B AH JH AH L"),
        ("cabbage'd", "K AE B AH JH AH D"),
        ("sahara'd", "S AH HH EH R AH D"),
        ("cabbage'd've", "K AE B AH JH AH D AH V"),
        ("o'cabbage", "OW K AE B AH JH"),
        ("d'keep's", "D K IY P S"),
        ("'keep'", "K IY P"),
    ],
)
def test_apostrophes_follow_the_sound_before_them(word: str, expected: str, without_g2p: None) -> None:
    assert word not in cmudict()
    assert said(word)[0] == expected


def test_a_listed_possessive_is_taken_as_listed() -> None:
    assert said("o'neill's") == ["OW N IY L Z"]


def test_a_possessive_keeps_every_pronunciation_of_its_word(without_g2p: None) -> None:
    assert said("either's") == ["IY DH ER Z", "AY DH ER Z"]


@needs_g2p
def test_unlisted_words_are_read_by_the_network() -> None:
    assert "zelenskyy" not in cmudict()
    assert said("zelenskyy") == ["Z IH L EH N S K IY"]
    assert said("zelenskyy's") == ["Z IH L EH N S K IY Z"]
    assert said("ze'lensk'yy") == said("zelenskyy")


@needs_g2p
def test_a_word_without_vowel_letters_is_spelled_out_first() -> None:
    assert said("bnp")[0] == "B IY EH N P IY"
    assert len(said("bnp")) == 2


@needs_g2p
def test_compounds_of_listed_words_are_also_said_as_their_parts() -> None:
    assert said("greenacre") == ["G R IY N AH K ER", "G R IY N EY K ER"]  # short: the network's reading first
    assert said("thistlewoods") == ["TH IH S AH L W UH D Z", "TH IH S T AH L W UH D Z"]
    assert len(said("keepzzkr")) == 1


@needs_g2p
def test_where_the_network_writes_no_phone_the_letters_are_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g2p.Network, "predict", lambda self, words: [("<unk>",), ()])
    assert pronounce(["zeq", "zeqq"]) == [
        (("Z", "IY", "IY", "K", "Y", "UW"),),
        (("Z", "IY", "IY", "K", "Y", "UW", "K", "Y", "UW"),),
    ]


@pytest.mark.parametrize("word", ["", "'", "3m", "new york", "北京", "naïve", "x-ray", "a" * 101])
def test_what_cannot_be_pronounced_is_named(word: str) -> None:
    assert not pronounceable(word)
    with pytest.raises(UnpronounceableError, match=r"cannot pronounce .*made of a-z and apostrophes") as caught:
        pronounce(["keep", word, "keep", word])
    assert caught.value.words == (word,)
    assert pronounce(["keep", word], missing="empty") == [(("K", "IY", "P"),), ()]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"pronounce\(\['keep'\]\)"):
        pronounce("keep")
    with pytest.raises(ValueError, match="allowed: 'raise', 'empty'"):
        pronounce(["keep"], missing="ignore")


def test_results_are_cached_and_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "CACHED_WORDS", 2)
    first = pronounce(["keep", "read"])
    assert pronounce(["keep"])[0] is first[0]
    assert pronounce(["keep", "either"])[0] is first[0]  # now full: the cache starts anew
    assert list(phones._cache) == ["either"]
    assert pronounce(["keep", "read"]) == first


# --- the network -----------------------------------------------------------------------------------------------------


class OneWordAtATime:
    """g2p_en 2.1.0's own algorithm, word by word, as its g2p.py writes it."""

    def __init__(self, checkpoint: Path) -> None:
        self.v = dict(np.load(checkpoint, allow_pickle=False))

    def grucell(self, x: Any, h: Any, part: str) -> Any:
        rzn_ih = np.matmul(x, self.v[f"{part}_w_ih"].T) + self.v[f"{part}_b_ih"]
        rzn_hh = np.matmul(h, self.v[f"{part}_w_hh"].T) + self.v[f"{part}_b_hh"]
        rz_ih, n_ih = rzn_ih[:, : rzn_ih.shape[-1] * 2 // 3], rzn_ih[:, rzn_ih.shape[-1] * 2 // 3 :]
        rz_hh, n_hh = rzn_hh[:, : rzn_hh.shape[-1] * 2 // 3], rzn_hh[:, rzn_hh.shape[-1] * 2 // 3 :]
        rz = 1 / (1 + np.exp(-(rz_ih + rz_hh)))
        r, z = np.split(rz, 2, -1)
        n = np.tanh(n_ih + r * n_hh)
        return (1 - z) * n + z * h

    def predict(self, word: str) -> tuple[str, ...]:
        symbols = [g2p.GRAPHEMES.index(c) if c in g2p.GRAPHEMES else 1 for c in [*word, "</s>"]]
        h = np.zeros((1, 256), np.float32)
        for symbol in symbols:
            h = self.grucell(self.v["enc_emb"][[symbol]], h, "enc")
        dec = self.v["dec_emb"][[2]]  # <s>
        preds: list[int] = []
        for _ in range(20):
            h = self.grucell(dec, h, "dec")
            pred = int((np.matmul(h, self.v["fc_w"].T) + self.v["fc_b"]).argmax())
            if pred == 3:  # </s>
                break
            preds.append(pred)
            dec = self.v["dec_emb"][[pred]]
        return tuple(g2p.PHONEMES[i] for i in preds)


def invented_words(count: int) -> list[str]:
    """Listed words with a letter put in somewhere, and what the network has hardly seen."""
    rng = random.Random(4)
    listed = sorted(word for word in cmudict() if word.isalpha())
    words = ["", "a", "q", "zz", "o'neill", "x" * 30, "llanfairpwllgwyngyll"]
    words.append("pneumonoultramicroscopicsilicovolcanoconiosis")  # cut at 20 phones
    while len(words) < count:
        word = rng.choice(listed)
        at = rng.randrange(len(word) + 1)
        words.append(word[:at] + rng.choice("aeiouykrszvx") + word[at:])
    return words


@needs_g2p
def test_batches_give_what_g2p_en_gives_word_by_word() -> None:
    spec = importlib.util.find_spec("g2p_en")
    assert spec is not None and spec.origin is not None
    reference = OneWordAtATime(Path(spec.origin).with_name("checkpoint20.npz"))
    words = invented_words(600)  # more than two batches, all lengths in each
    expected = [reference.predict(word) for word in words]
    assert g2p.network().predict(words) == expected
    assert max(len(phones) for phones in expected) == g2p.MAX_PHONES
    assert [g2p.network().predict([word])[0] for word in words[:50]] == expected[:50]
    assert g2p.network().predict([]) == []


def test_without_g2p_en_listed_words_work_and_others_say_what_to_do(without_g2p: None) -> None:
    assert said("keep") == ["K IY P"]
    with pytest.raises(g2p.G2PUnavailable, match=r"'zelenskyy', not in the lexicon: .*pip install g2p_en"):
        pronounce(["keep", "zelenskyy's"])


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", enc_emb=np.zeros((29, 64), np.float32))
    with pytest.raises(g2p.G2PUnavailable, match=r"holds \(29, 64\) where the array enc_emb of shape \(29, 256\)"):
        g2p.Network(tmp_path / "other.npz")


def test_importing_is_light() -> None:
    code = "import sys, asrbias.phones; print([m for m in ('torch', 'nltk', 'g2p_en', 'cmudict') if m in sys.modules])"
    root = Path(phones.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


# --- what users write ------------------------------------------------------------------------------------------------


def test_user_pronunciations_lose_case_and_stress() -> None:
    assert parse_pronunciation("K IY1 V") == ("K", "IY", "V")
    assert parse_pronunciation("  k iy0  v ") == ("K", "IY", "V")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("K XX1 V", r"'XX1' in the pronunciation 'K XX1 V' is not an ARPAbet phone; allowed.*: AA AE AH .* Z ZH"),
        ("K1 IY V", r"'K1' .* carries stress, which only vowels do; allowed"),
        ("K IY3 V", r"'IY3' .* is not an ARPAbet phone"),
        ("kˈiːv", "is not an ARPAbet phone"),
        ("K 1 V", "'1' .* is not an ARPAbet phone"),
        ("  ", "a pronunciation is empty; give ARPAbet phones"),
    ],
)
def test_a_bad_symbol_is_named_with_the_allowed_ones(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_pronunciation(text)


# --- phrases ---------------------------------------------------------------------------------------------------------


def test_a_phrase_combines_its_words() -> None:
    assert [" ".join(p) for p in pronounce_phrase("the keep")] == ["DH AH K IY P", "DH IY K IY P"]
    assert pronounce_phrase("the keep", limit=1) == [("DH", "AH", "K", "IY", "P")]


@pytest.mark.parametrize("limit", [1, 3, 8, 1000])
def test_phrases_come_in_the_documented_order(limit: int) -> None:
    words = ["read", "either", "the", "associate"]
    choices = pronounce(words)
    places = itertools.product(*(range(len(choice)) for choice in choices))
    ordered = sorted(places, key=lambda p: (sum(p), [-i for i in reversed(p)]))
    spoken = [sum((choice[i] for choice, i in zip(choices, p, strict=True)), ()) for p in ordered]
    assert len(set(spoken)) == len(spoken) > 8
    assert pronounce_phrase(" ".join(words), limit=limit) == spoken[:limit]


def test_a_phrase_pronounced_alike_in_two_ways_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = (("AH",), ("AH", "AH"))
    monkeypatch.setattr(phones, "_cache", {"uh": choices})
    assert pronounce_phrase("uh uh") == [("AH",) * 2, ("AH",) * 3, ("AH",) * 4]


def test_phrases_that_cannot_be_said_are_named() -> None:
    with pytest.raises(UnpronounceableError, match="'3m'"):
        pronounce_phrase("the 3m company")
    with pytest.raises(UnpronounceableError):
        pronounce_phrase("  ")
    with pytest.raises(ValueError, match="limit=0 allows no pronunciation"):
        pronounce_phrase("keep", limit=0)
