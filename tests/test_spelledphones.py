"""Phones of what a model spells, in place of a phone head."""

from __future__ import annotations

import numpy as np
import pytest

from asrbias.alignment import LogProbsError
from asrbias.foreign_options import spelled_evidence, usual_options
from asrbias.joint import JointDecoder, JointError, JointOptions
from asrbias.phones import PHONES
from asrbias.recognizer import Recognizer
from asrbias.spelled_options import SpelledOptions, SpelledPhonesError
from asrbias.spelledphones import SpelledPhones, confusion

LABELS = ["<pad>", "|", *"abcdefghijklmnopqrstuvwxyz'"]


def posteriors(text: str, sure: float = 6.0, other: str = "") -> np.ndarray:
    """A character every third frame; `other`, of the same length, nearly as likely."""
    logits = np.zeros((3 * len(text) + 3, len(LABELS)), np.float32)
    logits[:, 0] = sure
    for n, character in enumerate(text):
        logits[3 * n + 1, 0] = 0.0
        logits[3 * n + 1, LABELS.index(character)] = sure
        if other:
            logits[3 * n + 1, LABELS.index(other[n])] = sure - 0.5
    return logits - np.logaddexp.reduce(logits, 1, keepdims=True)


def heard(matrix: np.ndarray) -> list[str]:
    best = [int(column) for column in matrix.argmax(1)]
    return [PHONES[column - 1] for n, column in enumerate(best) if column and (n == 0 or best[n - 1] != column)]


def test_words_are_pronounced_over_their_frames() -> None:
    matrix = SpelledPhones(LABELS)(posteriors("met|in|kiev"))
    assert matrix.shape == (36, 40) and matrix.dtype == np.float32
    assert heard(matrix) == "M EH T IH N K IY EH V".split()
    assert np.allclose(np.exp(matrix).sum(1), 1.0, atol=1e-5)
    first = [int(n) for n in np.flatnonzero(matrix.argmax(1))]
    assert first[0] == 1 and 3 * 4 + 1 <= first[3] <= 3 * 5 + 1  # "met" from its first letter, "in" where it is


def test_what_else_may_have_been_written_is_heard_too() -> None:
    sure, unsure = SpelledPhones(LABELS)(posteriors("cat")), SpelledPhones(LABELS)(posteriors("cat", other="mat"))
    column = PHONES.index("M") + 1
    assert unsure[:, column].max() > sure[:, column].max() + 1.0


def test_phones_that_are_taken_for_each_other() -> None:
    mixed = confusion(PHONES, 0.3)
    row = dict(zip(PHONES, mixed[PHONES.index("S")], strict=True))
    assert row["S"] == pytest.approx(0.7) and row["Z"] > row["K"] > row["IY"] > 0
    assert np.allclose(mixed.sum(1), 1.0)


def test_what_cannot_be_pronounced_is_blank() -> None:
    labels = ["<pad>", " ", "й", "ц"]
    logits = np.full((9, 4), -9.0, np.float32)
    logits[[1, 4], [2, 3]] = 9.0
    assert not SpelledPhones(labels)(logits - np.logaddexp.reduce(logits, 1, keepdims=True)).argmax(1).any()
    with pytest.raises(LogProbsError):
        SpelledPhones(LABELS)(np.full((3, len(LABELS)), np.nan, np.float32))


@pytest.mark.parametrize("wrong", [{"texts": 0}, {"beam": 2.5}, {"doubt": 0.0}, {"silent": 1.0}, {"between": True}])
def test_options_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(SpelledPhonesError, match=f"{next(iter(wrong))} is "):
        SpelledOptions(**wrong)  # type: ignore[arg-type]


def test_a_listed_name_that_sounds_alike_is_written() -> None:
    log_probs = posteriors("we|flew|from|kazablanka|today", sure=5.0)
    lookup = spelled_evidence(0.04)
    with pytest.raises(JointError, match="spelled=SpelledOptions"):
        JointDecoder(LABELS, options=JointOptions(lookup=lookup)).decode(log_probs, None, ["Casablanca"])
    decoder = JointDecoder(LABELS, options=JointOptions(lookup=lookup, spelled=SpelledOptions()))
    assert decoder.decode(log_probs, None, ["Casablanca", "Montevideo"])[0].text == "we flew from casablanca today"
    others = ["Montevideo", "Rotterdam", "Kathmandu", "Vladivostok", "Reykjavik"]
    assert decoder.decode(log_probs, None, others)[0].text == "we flew from kazablanka today"
    assert decoder.decode(log_probs)[0].text == "we flew from kazablanka today"


def test_the_usual_options_fit_the_models_frames() -> None:
    def model(samples: np.ndarray) -> np.ndarray:
        return np.zeros((len(samples) // 320, len(LABELS)), np.float32)

    made = Recognizer(model, labels=LABELS)
    assert made.decoder.options == usual_options(made.model, 5)  # type: ignore[arg-type, union-attr]
    assert spelled_evidence(0.02).pace == 2 * spelled_evidence(0.04).pace
    few = Recognizer(lambda samples: np.zeros((len(samples) // 320, 4), np.float32), labels=["<pad>", "|", "a", "b"])
    assert few.decoder.options.lookup is None and "spells no English letters" in few.describe()  # type: ignore[union-attr]
