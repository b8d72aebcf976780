"""The compact form of an n-gram model: an .npz of arrays, for a model that comes with a package.

Histories are not written: the n-grams of an order are sorted by them, so the number of followers of each says them.
Logarithms are written as multiples of STEP in 16 bits. Against gzip'd ARPA text that is less than half the bytes, and a
quarter of the time to read (docs/lm.md); the zip's checksums tell a damaged file. Nothing in it is pickled.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asrbias.arpa import NEVER, ArpaModel, Floats, Integers, NGrams

STEP = 1 / 4096  # of log10; at most 0.0003 nats are lost by it
LEAST = -(2**15)  # stands for NEVER
FORMAT = "asrbias n-grams 1"
# What np.load, zipfile and decode raise for damaged files; that the file is there was seen before.
DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, MemoryError, ValueError, OSError)

Arrays = Mapping[str, npt.NDArray[Any]]


def compact(model: ArpaModel) -> bytes:
    """The bytes of the file, the same for the same model. Probabilities below 1e-8 are written as that."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "format": np.frombuffer(FORMAT.encode(), np.uint8),
        "order": np.array([model.order], np.uint8),
        "words": np.frombuffer("\n".join(model.words).encode(), np.uint8),
    }
    for n, ngrams in enumerate(model.orders, 1):
        if n > 1:
            arrays[f"followers{n}"] = _small(np.bincount(ngrams.history, minlength=len(model.orders[n - 2])))
            arrays[f"word{n}"] = _small(ngrams.word)
        arrays[f"probability{n}"] = _steps(ngrams.probability)
        if n < model.order:
            arrays[f"back_off{n}"] = _steps(ngrams.back_off)
    return _zip(arrays)


def _small(values: Integers) -> npt.NDArray[Any]:
    return values.astype(np.uint16 if values.max(initial=0) < 2**16 else np.uint32)


def _steps(log10: Floats) -> npt.NDArray[np.int16]:
    steps = np.clip(np.rint(log10 / STEP), LEAST + 1, -LEAST - 1)
    return np.where(log10 <= NEVER, LEAST, steps).astype(np.int16)


def _zip(arrays: Arrays) -> bytes:
    """An .npz; np.savez would write the time into it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def read_compact(path: Path) -> ArpaModel:
    """Read a file that `compact` made. Raises ValueError with what is wrong with it, as a phrase about "it"."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        written, words = arrays["format"].tobytes().decode(), arrays["words"].tobytes().decode()
    except DAMAGED as error:
        raise ValueError(f"it is a zip file that is damaged or holds something else ({error})") from None
    if written != FORMAT:
        raise ValueError(f"it is written as {written!r}, and only {FORMAT!r} is known here")
    names = tuple(words.split("\n"))
    try:
        order = int(_of_size(arrays, "order", "u", 1)[0])
        return ArpaModel(words=names, orders=tuple(_orders(arrays, len(names), order)))
    except KeyError as error:
        raise ValueError(f"the array {error} is missing") from None


def _orders(arrays: Arrays, size: int, order: int) -> Iterator[NGrams]:
    history, word = np.zeros(size, np.int64), np.arange(size)
    for n in range(1, order + 1):
        if n > 1:
            followers = _of_size(arrays, f"followers{n}", "u", size)
            size = int(followers.sum())
            word = _of_size(arrays, f"word{n}", "u", size).astype(np.int64)
            history = np.repeat(np.arange(len(followers)), followers)
        probability = _of_size(arrays, f"probability{n}", "i", size)
        back_off = _of_size(arrays, f"back_off{n}", "i", size) if n < order else np.zeros(size)
        log10 = np.where(probability == LEAST, NEVER, probability * STEP)
        yield NGrams(history=history, word=word, probability=log10, back_off=back_off * STEP)


def _of_size(arrays: Arrays, name: str, kind: str, size: int) -> npt.NDArray[Any]:
    array = arrays[name]
    if array.shape != (size,) or array.dtype.kind != kind:
        raise ValueError(f"its array {name} is {array.dtype} of shape {array.shape}, not integers of shape ({size},)")
    return array
