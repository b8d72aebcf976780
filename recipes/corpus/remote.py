"""A file to download, the part of it that has come, and what servers say of it."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corpus.checksums import Checksum
from corpus.errors import RecipeError

from asrbias.files import write_whole

CUT = (OSError, http.client.HTTPException)  # a connection that failed or broke; URLError and time-outs are OSErrors


class DownloadError(RecipeError):
    """A file could not be had, or is not what it should be."""


class TryAgainError(Exception):
    """The connection brought nothing usable; the next may."""


@dataclass(frozen=True)
class Remote:
    """A file to download."""

    url: str
    checksum: Checksum | None = None  # None: that of the first download, if there was one

    @property
    def name(self) -> str:
        """Its name on disk."""
        return Path(urllib.parse.urlsplit(self.url).path).name

    def open(self, headers: dict[str, str], timeout: float, method: str = "GET") -> Any:
        """The response. Raises TryAgainError, DownloadError, and what CUT names."""
        headers = {"User-Agent": "asrbias-recipe", "Accept-Encoding": "identity", **headers}
        request = urllib.request.Request(self.url, headers=headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (408, 416, 429) or error.code >= 500 or method == "HEAD":
                raise TryAgainError(f"{error.code} {error.reason}") from error
            raise DownloadError(
                f"{self.url}: the server answers {error.code} {error.reason}; check the address in the config."
            ) from error

    def ask_size(self, timeout: float) -> int | None:
        """Bytes, by a HEAD request; None where the server does not say."""
        try:
            with self.open({}, timeout, method="HEAD") as response:
                return _integer(response.headers.get("Content-Length"))
        except (*CUT, TryAgainError):
            return None  # the download itself will say what is wrong


@dataclass(frozen=True)
class Known:
    """What is known of a file that is being downloaded."""

    url: str
    size: int | None = None  # bytes of the whole
    etag: str | None = None
    modified: str | None = None  # as the server writes it

    @property
    def validator(self) -> str | None:
        """For If-Range: a weak ETag does not tell versions byte for byte (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    @classmethod
    def of(cls, url: str, response: Any) -> Known:
        """What a response says of the whole file."""
        headers = response.headers
        size = _integer(headers.get("Content-Length"))
        if response.status == 206:
            match = re.fullmatch(r"bytes \d+-\d+/(\d+)", headers.get("Content-Range") or "")
            size = int(match[1]) if match else None
        return cls(url, size, headers.get("ETag"), headers.get("Last-Modified"))

    def continues(self, earlier: Known, have: int, response: Any) -> bool:
        """Whether a partial response, of which this is known, goes on after `have` bytes of the same file."""
        start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
        other = earlier.etag and self.etag and earlier.etag != self.etag
        return start is not None and int(start[1]) == have and self.size == earlier.size and not other


class Part:
    """What has come of a file: NAME.part, and NAME.part.json with what is known of it."""

    def __init__(self, folder: Path, remote: Remote) -> None:
        self.url, self.path = remote.url, folder / f"{remote.name}.part"
        self._notes = folder / f"{remote.name}.part.json"

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def known(self) -> Known:
        """What an earlier connection said of the file, if the part is of the same address."""
        try:
            known = Known(**json.loads(self._notes.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Known(self.url)
        return known if known.url == self.url else Known(self.url)

    def note(self, known: Known) -> None:
        write_whole(self._notes, json.dumps(asdict(known)).encode())

    def forget(self) -> None:
        """Take away what is known; the part stays or was renamed."""
        self._notes.unlink(missing_ok=True)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.forget()


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
