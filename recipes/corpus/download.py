"""Files over HTTP, whole or not at all, and no byte twice.

What has come lies in NAME.part, with what is known of it beside it (NAME.part.json); a connection that breaks is taken
up where it ended by a range request (RFC 9110, If-Range), in this run or in a later one. A server that knows no ranges,
or has another file by now, starts again. Complete, it is checked, synced to disk, and renamed; a file whose checksum is
wrong is set aside as NAME.wrong. Where no checksum is published, that of the first download is kept and holds later.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.checksums import Checksum, ChecksumFile, digests
from corpus.disk import disk_full_named, require_space, size_of
from corpus.remote import CUT, DownloadError, Known, Part, Remote, TryAgainError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

_BLOCK = 1 << 16  # bytes read at once


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """How patient to be."""

    attempts: int = 8  # connections without a new byte, one after the other, before giving up
    wait: float = 2.0  # seconds before the second of them; doubled each time, 60 at most
    timeout: float = 60.0  # seconds without a byte
    reserve: int = 1_000_000_000  # bytes of the disk that stay free


@dataclass(frozen=True)
class Missing:
    """Of a file, in bytes."""

    to_come: int
    size: int


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
            target, part = self.folder / remote.name, Part(self.folder, remote)
            if target.is_file():
                found[remote.name] = Missing(0, target.stat().st_size)
                continue
            known = part.known.size
            size = (known if known is not None else remote.ask_size(self.options.timeout)) or 0
            found[remote.name] = Missing(max(0, size - part.size), size)
        return found

    def fetch(self, remote: Remote) -> Path:
        """The file, downloaded unless it is there. Raises DownloadError, DiskFullError."""
        target = self.folder / remote.name
        if target.is_file():
            self._check_again(remote, target)
            return target
        part = Part(self.folder, remote)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=self.console) as bar:
            self._download(remote, part, bar)
        return self._finish(remote, part, target)

    def _download(self, remote: Remote, part: Part, bar: Progress) -> None:
        """Until every byte is there; raises DownloadError if too many connections in a row bring nothing."""
        task = bar.add_task(remote.name, total=part.known.size, completed=part.size)
        idle = 0
        while (size := part.known.size) is None or part.size != size:
            before = part.size
            try:
                if self._connect(remote, part, bar, task):
                    return
                reason = "the connection was cut"
            except (*CUT, TryAgainError) as error:
                reason = str(getattr(error, "reason", None) or error or type(error).__name__)
            idle = 0 if part.size > before else idle + 1
            if idle >= self.options.attempts:
                raise DownloadError(
                    f"{remote.url}: {idle} connections brought nothing ({reason}); {size_of(before)} are there, "
                    "and the same command goes on after them."
                )
            self.console.print(f"{remote.name}: {reason}; going on at {size_of(part.size)}")
            time.sleep(min(60.0, self.options.wait * 2 ** max(0, idle - 1)))

    def _connect(self, remote: Remote, part: Part, bar: Progress, task: Any) -> bool:
        """One connection, from where the part ends; whether the file is complete after it."""
        known, have = part.known, part.size
        if have and (known.size is None or have > known.size):
            have = self._start_again(part, "what is there cannot be gone on with")
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and known.validator:
            headers["If-Range"] = known.validator
        with self._open(remote, part, headers) as response:
            found = Known.of(remote.url, response)
            if response.status == 206 and not found.continues(known, have, response):
                self._start_again(part, "the server has another file by now")
                raise TryAgainError("starting again")
            if response.status != 206:
                if have:
                    same = known.etag is not None and known.etag == found.etag
                    have = self._start_again(part, "the server " + ("knows no ranges" if same else "sends all of it"))
                part.note(found)
            needed = (found.size or have) - have + self.options.reserve
            require_space(self.folder, needed, f"what is to come of {remote.name}")
            bar.update(task, total=found.size, completed=have)
            with disk_full_named(self.folder, f"the download of {remote.name}"), open(part.path, "ab", 0) as to:
                while block := response.read1(_BLOCK):
                    _write_all(to, block)
                    bar.update(task, advance=len(block))
        return found.size is None or part.size == found.size

    def _open(self, remote: Remote, part: Part, headers: dict[str, str]) -> Any:
        try:
            return remote.open(headers, self.options.timeout)
        except TryAgainError as error:
            if "416" in str(error):  # the server's file ends before our part does
                self._start_again(part, "the server has another file by now")
            raise

    def _start_again(self, part: Part, why: str) -> int:
        self.console.print(f"{part.path.name}: {why}; starting again")
        part.remove()
        return 0

    def _finish(self, remote: Remote, part: Part, target: Path) -> Path:
        """Check and rename the complete part."""
        with open(part.path, "ab") as file:  # an empty file is made where the server sent none
            os.fsync(file.fileno())
        found = digests(part.path)
        expected = self._expected(remote)
        if expected is not None and found[expected.algorithm] != expected.digest:
            wrong = self.folder / f"{remote.name}.wrong"
            os.replace(part.path, wrong)
            part.forget()
            raise DownloadError(_wrong(remote, expected, found) + f" It was set aside as {wrong} and is not used.")
        os.replace(part.path, target)
        part.forget()
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


def _wrong(remote: Remote, expected: Checksum, found: Mapping[str, str]) -> str:
    origin = "was given" if remote.checksum else "it had at its first download"
    return f"{remote.url}: its {expected.algorithm} is {found[expected.algorithm]}, but {origin} {expected.digest}."


def _write_all(to: Any, block: bytes) -> None:
    """Unbuffered, so that the part's size is what was really written, however the run ends."""
    view = memoryview(block)
    while view:
        view = view[to.write(view) :]
