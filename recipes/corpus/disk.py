"""Room on the disk: looked at before anything is written, and said plainly when it runs out all the same."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from corpus.errors import RecipeError


class DiskFullError(RecipeError):
    """There is not enough room; what was written so far stays, and counts."""


def size_of(count: int) -> str:
    """Bytes as people read them: 62_500_000_000 -> "62.5 GB"."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise DiskFullError unless `needed` bytes are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFullError(
            f"{folder}: {what} takes {size_of(needed)}, and {size_of(free)} are free; "
            f"make room for {size_of(needed - free)} more, or choose a folder on another disk."
        )


@contextlib.contextmanager
def disk_full_named(folder: Path, what: str) -> Iterator[None]:
    """Turn the system's "no space left" into a DiskFullError that says what was being done."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(
            f"{folder}: the disk ran full during {what}; make room and give the same command again, it goes on there."
        ) from error
