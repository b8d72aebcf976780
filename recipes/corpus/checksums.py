"""Checksums: "sha256:HEX" or "md5:HEX", and the file of those that were found at the first download.

The file has the form of sha256sum, so that `sha256sum -c checksums.sha256` checks it too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from corpus.errors import RecipeError

from asrbias.files import write_whole

FILE = "checksums.sha256"
_DIGITS = {"sha256": 64, "md5": 32}
_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Checksum:
    algorithm: str  # sha256 or md5
    digest: str  # lower-case hexadecimal

    @classmethod
    def parse(cls, text: str, name: str) -> Checksum:
        """Of "sha256:HEX" or "md5:HEX"; `name` is the file's, for the error."""
        algorithm, _, digest = text.partition(":")
        digest = digest.strip().lower()
        if algorithm not in _DIGITS or not re.fullmatch(f"[0-9a-f]{{{_DIGITS[algorithm]}}}", digest):
            raise RecipeError(
                f"The checksum of {name} is {text!r}; write sha256: and 64 hexadecimal digits, or md5: and 32."
            )
        return cls(algorithm, digest)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


def digests(path: Path) -> Mapping[str, str]:
    """The hexadecimal digest of a file by each algorithm, read once."""
    found = {name: hashlib.new(name) for name in _DIGITS}
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            for one in found.values():
                one.update(block)
    return {name: one.hexdigest() for name, one in found.items()}


class ChecksumFile:
    """The sha256 of every file downloaded into a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self) -> dict[str, str]:
        """Digest by name."""
        if not self.path.is_file():
            return {}
        rows = [line.split(maxsplit=1) for line in self.path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if any(len(row) != 2 for row in rows):
            raise RecipeError(f"{self.path} is damaged; each line is a sha256 and a name. Delete it to have it anew.")
        return {name.lstrip("*"): digest for digest, name in rows}

    def record(self, name: str, digest: str) -> None:
        """Note the digest of a file."""
        lines = sorted((self.read() | {name: digest}).items())
        write_whole(self.path, "".join(f"{digest}  {name}\n" for name, digest in lines).encode())
