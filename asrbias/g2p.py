"""Grapheme to phoneme: g2p_en's network (Park & Kim 2019), batched, for words that no lexicon lists.

A GRU reads the letters, a second one writes phones until it ends the word. The weights are those of the installed
package g2p_en, found without importing it, because its import wants NLTK's downloads. What is notable here:
 - the product of an embedding with its input matrix is a table of one row a symbol, computed once;
 - words are sorted by length, so the words still being read are always the first rows of the batch, and words that
   have ended leave it: no step is spent on padding, and a word's phones are those that it gets alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

GRAPHEMES = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
# the order of the checkpoint's rows, "UW" without stress included
PHONEMES = (
    *("<pad>", "<unk>", "<s>", "</s>", "AA0", "AA1", "AA2", "AE0", "AE1", "AE2", "AH0", "AH1", "AH2"),
    *("AO0", "AO1", "AO2", "AW0", "AW1", "AW2", "AY0", "AY1", "AY2", "B", "CH", "D", "DH", "EH0", "EH1", "EH2"),
    *("ER0", "ER1", "ER2", "EY0", "EY1", "EY2", "F", "G", "HH", "IH0", "IH1", "IH2", "IY0", "IY1", "IY2", "JH"),
    *("K", "L", "M", "N", "NG", "OW0", "OW1", "OW2", "OY0", "OY1", "OY2", "P", "R", "S", "SH", "T", "TH"),
    *("UH0", "UH1", "UH2", "UW", "UW0", "UW1", "UW2", "V", "W", "Y", "Z", "ZH"),
)
UNKNOWN, END_OF_WORD = GRAPHEMES.index("<unk>"), GRAPHEMES.index("</s>")
START, STOP = PHONEMES.index("<s>"), PHONEMES.index("</s>")
MAX_PHONES = 20  # phones; g2p_en writes no more for one word
BATCH = 256  # words; 1024 take twice the time per word, as the state then leaves the processor's cache
SHAPES = {"emb": (256,), "w_ih": (768, 256), "w_hh": (768, 256), "b_ih": (768,), "b_hh": (768,)}

Array = npt.NDArray[np.float32]


class G2PUnavailable(RuntimeError):
    """g2p_en's weights are not installed, or not those that this code knows."""


class GRU:
    """One recurrent layer over symbols (Cho et al. 2014), gates in the order reset, update, new."""

    def __init__(self, emb: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> None:
        self._inputs = emb @ w_ih.T + b_ih  # [symbols, 3 H]
        self._w_hh = np.ascontiguousarray(w_hh.T)  # [H, 3 H]
        self._b_hh = b_hh
        self.size = w_hh.shape[1]

    def step(self, symbols: npt.NDArray[np.intp], h: Array) -> Array:
        """Symbols [B] and states [B, H] -> the next states [B, H]."""
        x = self._inputs[symbols]
        hidden = h @ self._w_hh + self._b_hh
        both = 2 * self.size
        # the logistic function by tanh, which does not overflow
        gates = 0.5 + 0.5 * np.tanh(0.5 * (x[:, :both] + hidden[:, :both]))
        reset, update = gates[:, : self.size], gates[:, self.size :]
        new = np.tanh(x[:, both:] + reset * hidden[:, both:])
        state: Array = new + update * (h - new)
        return state


class Network:
    """The encoder and decoder. `predict` is what one wants."""

    def __init__(self, checkpoint: Path) -> None:
        with np.load(checkpoint, allow_pickle=False) as arrays:
            self._encoder = GRU(*_weights(arrays, "enc", len(GRAPHEMES)))
            self._decoder = GRU(*_weights(arrays, "dec", len(PHONEMES)))
            self._fc_w = np.ascontiguousarray(_checked(arrays, "fc_w", (len(PHONEMES), 256)).T)
            self._fc_b = _checked(arrays, "fc_b", (len(PHONEMES),))

    def predict(self, words: Sequence[str], max_phones: int = MAX_PHONES) -> list[tuple[str, ...]]:
        """Phones with stress of each word (lower case a-z; any other character is read as unknown).

        A word's phones do not depend on the other words given. Words are read in batches of BATCH.
        """
        order = sorted(range(len(words)), key=lambda i: -len(words[i]))
        result: list[tuple[str, ...]] = [()] * len(words)
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            phones = self._decode(self._encode([words[i] for i in batch]), max_phones)
            for i, row in zip(batch, phones, strict=True):
                result[i] = tuple(PHONEMES[p] for p in row)
        return result

    def _encode(self, words: Sequence[str]) -> Array:
        """Words, longest first -> states after their last symbol, [B, H]."""
        index = {letter: i for i, letter in enumerate(GRAPHEMES)}
        lengths = np.array([len(word) + 1 for word in words])
        letters = np.full((len(words), lengths[0]), END_OF_WORD, dtype=np.intp)  # [B, longest + 1]
        for row, word in enumerate(words):
            letters[row, : len(word)] = [index.get(letter, UNKNOWN) for letter in word]
        h = np.zeros((len(words), self._encoder.size), np.float32)
        for t in range(lengths[0]):
            reading = int((lengths > t).sum())
            h[:reading] = self._encoder.step(letters[:reading, t], h[:reading])
        return h

    def _decode(self, h: Array, max_phones: int) -> list[list[int]]:
        """States [B, H] -> the best phone at each step, until the word ends."""
        result: list[list[int]] = [[] for _ in range(len(h))]
        rows = np.arange(len(h))
        phones = np.full(len(h), START, dtype=np.intp)
        for _ in range(max_phones):
            h = self._decoder.step(phones, h)
            phones = (h @ self._fc_w + self._fc_b).argmax(axis=1)
            writing = phones != STOP
            rows, phones, h = rows[writing], phones[writing], h[writing]
            if not len(rows):
                break
            for row, phone in zip(rows.tolist(), phones.tolist(), strict=True):
                result[row].append(phone)
        return result


def _weights(arrays: np.lib.npyio.NpzFile, part: str, symbols: int) -> list[Array]:
    shapes = {name: (symbols, *shape) if name == "emb" else shape for name, shape in SHAPES.items()}
    return [_checked(arrays, f"{part}_{name}", shape) for name, shape in shapes.items()]


def _checked(arrays: np.lib.npyio.NpzFile, name: str, shape: tuple[int, ...]) -> Array:
    if name not in arrays or arrays[name].shape != shape:
        found = arrays[name].shape if name in arrays else "nothing"
        raise G2PUnavailable(
            f"g2p_en's checkpoint holds {found} where the array {name} of shape {shape} is expected; "
            "install the version this code knows: pip install g2p_en==2.1.0"
        )
    return arrays[name].astype(np.float32, copy=False)


@lru_cache(maxsize=1)
def network() -> Network:
    """The network of the installed g2p_en, loaded once in a process.

    Raises G2PUnavailable where g2p_en is not installed.
    """
    spec = importlib.util.find_spec("g2p_en")  # finds a top-level package without running its code
    if spec is not None and spec.origin is not None:
        checkpoint = Path(spec.origin).with_name("checkpoint20.npz")
        if checkpoint.is_file():
            return Network(checkpoint)
    raise G2PUnavailable(
        "the package g2p_en, whose network reads such words, is not installed; "
        "install it (pip install g2p_en==2.1.0), or give a pronunciation yourself"
    )
