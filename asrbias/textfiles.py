"""Files of text as sentences in the matching form: a sentence a line, or the `text` of a manifest's lines."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from asrbias.errors import reason
from asrbias.text import normalise


class TextFileError(ValueError):
    """A file of text cannot be used; the message says where and why."""


def read_sentences(path: Path) -> list[str]:
    """The sentences of a text file, or of a manifest (.jsonl), either gzip'd (.gz) or not; empty ones are left out.

    Raises TextFileError for what is no UTF-8 text, no manifest, or has no sentence; OSError where it cannot be opened.
    """
    data = path.read_bytes()
    try:
        content = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextFileError(f"{path} is no UTF-8 text (byte {error.start}); save it as UTF-8.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TextFileError(f"{path} is named .gz and cannot be unzipped ({error}); take it anew.") from None
    if "\0" in content:
        raise TextFileError(f"{path} is not a text file (it has zero bytes); save it as text in UTF-8.")
    manifest = path.name.removesuffix(".gz").endswith(".jsonl")
    lines = _texts(path, content) if manifest else iter(content.splitlines())
    sentences = [sentence for line in lines if (sentence := normalise(line))]
    if not sentences:
        raise TextFileError(f"{path} has no sentence in it; give text with words of the letters a-z.")
    return sentences


def _texts(path: Path, content: str) -> Iterator[str]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TextFileError(f"{path}:{number} is no JSON ({reason(error)}); write one object a line.") from None
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise TextFileError(f'{path}:{number} has no `text`; write {{"text": "what is said", ...}}.')
        yield row["text"]
