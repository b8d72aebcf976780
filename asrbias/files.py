"""Files written whole or not at all; a JSON object read."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asrbias.errors import reason


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a crash leaves the old file or the new one, never a part.

    What is no ordinary file (/dev/null, a pipe) is written to, not replaced; so is the file that a link leads to.
    Raises OSError, whose `filename` is `path`.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = Path(os.path.realpath(path))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with writing(path):
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises OSError, and ValueError with what is wrong (not where: the caller says it)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 text, byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON, {reason(error)}") from None
    if not isinstance(content, dict):
        raise ValueError(f"it is a JSON {type(content).__name__}, not a JSON object")
    return content


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors in it name `path`: what the user asked to write, not a part of it."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
