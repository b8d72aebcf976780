"""Labels in the form that the decoder uses: "" the blank, " " the separator, or pieces that begin with "▁"."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Sequence

BPE_TOKEN = "▁"  # begins a word, in labels that are pieces
UNK_TOKEN = "⁇"  # what <unk> is written as, in labels that are characters
UNK_BPE_TOKEN = "▁⁇▁"  # the same in pieces: a word of its own
CONTINUES = "##"  # the other convention of pieces: marks those that do not begin a word

SPECIAL_TOKEN_PTN = re.compile(r"^[<\[].+[>\]]$")
BLANK_TOKEN_PTN = re.compile(r"^[<\[]pad[>\]]$", flags=re.IGNORECASE)
UNK_TOKEN_PTN = re.compile(r"^[<\[]unk[>\]]$", flags=re.IGNORECASE)

logger = logging.getLogger(__name__)


class Alphabet:
    """The labels of a model, one a column of its logits. `build_alphabet` makes one from labels as models have them."""

    def __init__(self, labels: list[str], is_bpe: bool) -> None:
        self._labels = list(labels)
        self._is_bpe = is_bpe

    @property
    def is_bpe(self) -> bool:
        """Whether the labels are pieces of words."""
        return self._is_bpe

    @property
    def labels(self) -> list[str]:
        """A copy."""
        return self._labels[:]

    @classmethod
    def build_alphabet(cls, labels: Sequence[str]) -> Alphabet:
        """Blank, separator and <unk> are recognised by their usual names; a blank that is missing is added at the end.

        Raises ValueError for labels that are not unique, and for pieces with " " among them.
        """
        is_bpe = any(label.startswith((CONTINUES, BPE_TOKEN)) for label in labels)
        if len(labels) != len(set(labels)):
            raise ValueError("The labels hold one more than once; every label must be unique.")
        if is_bpe and any(" " in label for label in labels):
            raise ValueError("The labels hold ' ' beside pieces ('▁a' or '##a'); write the space as '▁'.")
        return cls(_pieces(labels) if is_bpe else _characters(labels), is_bpe)

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps({"labels": self.labels, "is_bpe": self.is_bpe})

    @classmethod
    def loads(cls, s: str) -> Alphabet:
        """From `dumps`. Raises ValueError for keys other than its."""
        content = json.loads(s)
        if not isinstance(content, dict) or set(content) != {"is_bpe", "labels"}:
            raise ValueError(f"An alphabet is a JSON object with the keys is_bpe and labels, not {s:.80}.")
        return cls(content["labels"], content["is_bpe"])


def verify_alphabet_coverage(alphabet: Alphabet, unigrams: Collection[str]) -> None:
    """Logs a warning where more than a fifth of the unigrams' characters are no labels."""
    characters = set("".join(unigrams))
    if characters and len(characters - set(alphabet.labels)) > 0.2 * len(characters):
        logger.warning("More than a fifth of the unigrams' characters are no labels: are they of its language?")


def _characters(labels: Sequence[str]) -> list[str]:
    made = list(labels)
    if "|" in made and " " not in made:
        made[made.index("|")] = " "
    made = ["" if BLANK_TOKEN_PTN.match(label) else label for label in made]
    if "_" in made and "" not in made:
        made[made.index("_")] = ""
    if "" not in made:
        made.append("")
    if " " not in made:
        logger.warning("No label is ' ', so all of an utterance is one word.")
    return [UNK_TOKEN if UNK_TOKEN_PTN.match(label) else label for label in made]


def _pieces(labels: Sequence[str]) -> list[str]:
    made = list(labels)
    if any(label.startswith(CONTINUES) for label in made):
        made = [_from_continues(label) for label in made]
    made = ["" if BLANK_TOKEN_PTN.match(label) else label for label in made]
    if "" not in made:
        made.append("")
    return [UNK_BPE_TOKEN if UNK_TOKEN_PTN.match(label) else label for label in made]


def _from_continues(label: str) -> str:
    if label.startswith(CONTINUES):
        return label[len(CONTINUES) :]
    kept = label in ("", BPE_TOKEN, UNK_BPE_TOKEN) or SPECIAL_TOKEN_PTN.match(label)
    return label if kept else BPE_TOKEN + label
