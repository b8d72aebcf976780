"""Tar archives, unpacked so that a crash leaves whole files only, and a note when all of it is there."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from corpus.disk import disk_full_named, require_space
from corpus.errors import RecipeError
from rich.console import Console
from rich.progress import track

from asrbias.files import write_whole


def note_of(archive: Path) -> Path:
    """The file that says that an archive was unpacked; it stays when the archive goes."""
    return archive.with_name(f"{archive.name}.unpacked.json")


def is_unpacked(archive: Path) -> bool:
    return note_of(archive).is_file()


def unpack(archive: Path, folder: Path, *, keep: bool, reserve: int = 0) -> int:
    """Unpack a .tar or .tar.gz into `folder` and delete it unless `keep`; returns the number of files.

    Files that an interrupted run left whole are not written again. Raises RecipeError for an archive that is damaged
    or would write outside `folder`, DiskFullError where there is no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    try:
        with tarfile.open(archive) as tar, disk_full_named(folder, f"the unpacking of {archive.name}"):
            members = [member for member in tar if not member.isdir()]
            targets = [_target(archive, member, folder) for member in members]
            pairs = zip(members, targets, strict=True)
            waiting = [(m, to) for m, to in pairs if not (to.is_file() and to.stat().st_size == m.size)]
            missing = sum(member.size for member, _ in waiting)
            require_space(folder, missing + reserve, f"what is in {archive.name}")
            for member, target in track(waiting, f"unpacking {archive.name}", console=console):
                _write(tar, member, target)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise RecipeError(f"{archive} is damaged ({error}); move it away and download it anew.") from error
    os.sync()
    write_whole(note_of(archive), json.dumps({"files": len(members), "bytes": sum(m.size for m in members)}).encode())
    if not keep:
        archive.unlink()
    return len(members)


def _target(archive: Path, member: tarfile.TarInfo, folder: Path) -> Path:
    path = PurePosixPath(member.name)
    if not member.isfile() or path.is_absolute() or ".." in path.parts:
        raise RecipeError(f"{archive} holds {member.name!r}, which is no plain file below its folder; do not use it.")
    return folder / path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    source = tar.extractfile(member)
    assert source is not None  # a plain file, as _target has checked
    with source, open(part, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    if part.stat().st_size != member.size:
        raise tarfile.ReadError(f"{member.name} ends early")
    os.replace(part, target)
