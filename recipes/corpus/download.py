"""Files over HTTP, whole or not at all, and no byte twice.

What has come lies in NAME.part, with what is known of it beside it (NAME.part.json); a connection that breaks is taken
up where it ended by a range request (RFC 9110, If-Range), in this run or in a later one. A server that knows no ranges,
or has another file by now, starts again. Complete, it is checked, synced to disk, and renamed; a file whose checksum is
wrong is set aside as NAME.wrong. Where no checksum is published, that of the first download is kept and holds later.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corpus.checksums import Checksum, ChecksumFile, digests
from corpus.disk import disk_full_named, require_space, size_of
from corpus.errors import RecipeError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from asrbias.files import write_whole

_BLOCK = 1 << 16  # bytes read at once
_CUT = (OSError, http.client.HTTPException)  # a connection that failed or broke; URLError and time-outs are OSErrors


class DownloadError(RecipeError):
    """A file could not be had, or is not what it should be."""


class _TryAgainError(Exception):
    """The connection brought nothing usable; the next may."""


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """How patient to be."""

    attempts: int = 8  # connections without a new byte, one after the other, before giving up
    wait: float = 2.0  # seconds before the second of them; doubled each time, 60 at most
    timeout: float = 60.0  # seconds without a byte
    reserve: int = 1_000_000_000  # bytes of the disk that stay free


@dataclass(frozen=True)
class Remote:
    """A file to download."""

    url: str
    checksum: Checksum | None = None  # None: that of the first download, if there was one

    @property
    def name(self) -> str:
        """Its name on disk."""
        return Path(urllib.parse.urlsplit(self.url).path).name


@dataclass(frozen=True)
class Missing:
    """Of a file, in bytes."""

    to_come: int
    size: int


@dataclass(frozen=True)
class _Known:
    """What is known of a file that is being downloaded."""

    url: str
    size: int | None = None  # bytes of the whole
    etag: str | None = None
    modified: str | None = None  # as the server writes it

    @property
    def validator(self) -> str | None:
        """For If-Range: a weak ETag does not tell versions byte for byte (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class Downloader:
    """Downloads into one folder."""

    def __init__(self, folder: Path, options: DownloadOptions = DownloadOptions(), *, quiet: bool = False) -> None:
        self.folder, self.options = folder, options
        self.console = Console(stderr=True, quiet=quiet, soft_wrap=True)
        self.checksums = ChecksumFile(folder)
        folder.mkdir(parents=True, exist_ok=True)

    def missing(self, remotes: Iterable[Remote]) -> dict[str, Missing]:
        """What is still to come of each file, by name; a server that does not say a size counts 0."""
        found = {}
        for remote in remotes:
            target, known = self.folder / remote.name, self._known(remote)
            if target.is_file():
                found[remote.name] = Missing(0, target.stat().st_size)
                continue
            size = (known.size if known.size is not None else self._ask_size(remote)) or 0
            found[remote.name] = Missing(max(0, size - self._have(remote)), size)
        return found

    def fetch(self, remote: Remote) -> Path:
        """The file, downloaded unless it is there. Raises DownloadError, DiskFullError."""
        target = self.folder / remote.name
        if target.is_file():
            self._check_again(remote, target)
            return target
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=self.console) as bar:
            self._download(remote, bar)
        return self._finish(remote, target)

    def _part(self, remote: Remote) -> Path:
        return self.folder / f"{remote.name}.part"

    def _notes(self, remote: Remote) -> Path:
        return self.folder / f"{remote.name}.part.json"

    def _have(self, remote: Remote) -> int:
        part = self._part(remote)
        return part.stat().st_size if part.is_file() else 0

    def _known(self, remote: Remote) -> _Known:
        """What an earlier connection said of the file, if its part is of the same address."""
        try:
            known = _Known(**json.loads(self._notes(remote).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return _Known(remote.url)
        return known if known.url == remote.url else _Known(remote.url)

    def _ask_size(self, remote: Remote) -> int | None:
        """By a HEAD request; None where the server does not say."""
        try:
            with self._open(remote, {}, method="HEAD") as response:
                return _integer(response.headers.get("Content-Length"))
        except (*_CUT, _TryAgainError):
            return None  # the download itself will say what is wrong

    def _open(self, remote: Remote, headers: dict[str, str], method: str = "GET") -> Any:
        headers = {"User-Agent": "asrbias-recipe", "Accept-Encoding": "identity", **headers}
        request = urllib.request.Request(remote.url, headers=headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=self.options.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (408, 416, 429) or error.code >= 500 or method == "HEAD":
                raise _TryAgainError(f"{error.code} {error.reason}") from error
            raise DownloadError(
                f"{remote.url}: the server answers {error.code} {error.reason}; check the address in the config."
            ) from error

    def _download(self, remote: Remote, bar: Progress) -> None:
        """Until every byte is there; raises DownloadError if too many connections in a row bring nothing."""
        task = bar.add_task(remote.name, total=self._known(remote).size, completed=self._have(remote))
        idle = 0
        while (size := self._known(remote).size) is None or self._have(remote) != size:
            before = self._have(remote)
            try:
                if self._connect(remote, bar, task):
                    return
                reason = "the connection was cut"
            except (*_CUT, _TryAgainError) as error:
                reason = str(getattr(error, "reason", None) or error or type(error).__name__)
            idle = 0 if self._have(remote) > before else idle + 1
            if idle >= self.options.attempts:
                raise DownloadError(
                    f"{remote.url}: {idle} connections brought nothing ({reason}); {size_of(before)} are there, "
                    "and the same command goes on after them."
                )
            self.console.print(f"{remote.name}: {reason}; going on at {size_of(self._have(remote))}")
            time.sleep(min(60.0, self.options.wait * 2 ** max(0, idle - 1)))

    def _connect(self, remote: Remote, bar: Progress, task: Any) -> bool:
        """One connection, from where the part ends; whether the file is complete after it."""
        known, have = self._known(remote), self._have(remote)
        if have and (known.size is None or have > known.size):
            have = self._start_again(remote, "what is there cannot be gone on with")
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and known.validator:
            headers["If-Range"] = known.validator
        with self._open_at(remote, headers) as response:
            found = _described(remote, response)
            if response.status == 206 and not _continues(response, found, known, have):
                self._start_again(remote, "the server has another file by now")
                raise _TryAgainError("starting again")
            if response.status != 206:
                if have:
                    same = known.etag is not None and known.etag == found.etag
                    why = "the server knows no ranges" if same else "the server sends the whole file"
                    have = self._start_again(remote, why)
                write_whole(self._notes(remote), json.dumps(asdict(found)).encode())
            size = found.size
            require_space(
                self.folder, (size or have) - have + self.options.reserve, f"what is to come of {remote.name}"
            )
            bar.update(task, total=size, completed=have)
            with (
                disk_full_named(self.folder, f"the download of {remote.name}"),
                open(self._part(remote), "ab", 0) as to,
            ):
                while block := response.read1(_BLOCK):
                    _write_all(to, block)
                    bar.update(task, advance=len(block))
        return size is None or self._have(remote) == size

    def _open_at(self, remote: Remote, headers: dict[str, str]) -> Any:
        try:
            return self._open(remote, headers)
        except _TryAgainError as error:
            if "416" in str(error):  # the server's file ends before our part does
                self._start_again(remote, "the server has another file by now")
            raise

    def _start_again(self, remote: Remote, why: str) -> int:
        self.console.print(f"{remote.name}: {why}; starting again")
        self._part(remote).unlink(missing_ok=True)
        self._notes(remote).unlink(missing_ok=True)
        return 0

    def _finish(self, remote: Remote, target: Path) -> Path:
        """Check and rename the complete part."""
        part = self._part(remote)
        with open(part, "ab") as file:  # an empty file is made where the server sent none
            os.fsync(file.fileno())
        found = digests(part)
        expected = self._expected(remote)
        if expected is not None and found[expected.algorithm] != expected.digest:
            wrong = part.with_name(f"{remote.name}.wrong")
            os.replace(part, wrong)
            self._notes(remote).unlink(missing_ok=True)
            raise DownloadError(_wrong(remote, expected, found) + f" It was set aside as {wrong} and is not used.")
        os.replace(part, target)
        self._notes(remote).unlink(missing_ok=True)
        self.checksums.record(remote.name, found["sha256"])
        known = "as it should be" if expected else f"nobody publishes one, so it is kept in {self.checksums.path.name}"
        self.console.print(f"{target}: {size_of(target.stat().st_size)}, sha256 {found['sha256'][:12]}..., {known}")
        return target

    def _expected(self, remote: Remote) -> Checksum | None:
        recorded = self.checksums.read().get(remote.name)
        return remote.checksum or (Checksum("sha256", recorded) if recorded else None)

    def check_recorded(self, remote: Remote) -> None:
        """Of a file that is no longer there: the checksum that it had, against one that is given now."""
        recorded, given = self.checksums.read().get(remote.name), remote.checksum
        if recorded and given and given.algorithm == "sha256" and given.digest != recorded:
            found = {"sha256": recorded}
            raise DownloadError(_wrong(remote, given, found) + f" Remove what was unpacked from it in {self.folder}.")

    def _check_again(self, remote: Remote, target: Path) -> None:
        """A complete file was checked when it came; read it again only for a checksum that was not known then."""
        recorded = self.checksums.read().get(remote.name)
        expected = remote.checksum
        if recorded and (expected is None or expected == Checksum("sha256", recorded)):
            return
        found = digests(target)
        if expected is not None and found[expected.algorithm] != expected.digest:
            raise DownloadError(_wrong(remote, expected, found) + f" Move {target} away to download it anew.")
        self.checksums.record(remote.name, found["sha256"])


def _wrong(remote: Remote, expected: Checksum, found: Any) -> str:
    origin = "was given" if remote.checksum else "it had at its first download"
    return f"{remote.url}: its {expected.algorithm} is {found[expected.algorithm]}, but {origin} {expected.digest}."


def _described(remote: Remote, response: Any) -> _Known:
    """What a response says of the whole file."""
    headers = response.headers
    size = _integer(headers.get("Content-Length"))
    if response.status == 206:
        match = re.fullmatch(r"bytes \d+-\d+/(\d+)", headers.get("Content-Range") or "")
        size = int(match[1]) if match else None
    return _Known(remote.url, size, headers.get("ETag"), headers.get("Last-Modified"))


def _continues(response: Any, found: _Known, known: _Known, have: int) -> bool:
    """Whether a partial response goes on where the part ends, of the same file."""
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    other = known.etag and found.etag and known.etag != found.etag
    return start is not None and int(start[1]) == have and found.size == known.size and not other


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _write_all(to: Any, block: bytes) -> None:
    """Unbuffered, so that the part's size is what was really written, however the run ends."""
    view = memoryview(block)
    while view:
        view = view[to.write(view) :]
