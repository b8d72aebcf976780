"""What an error says to a user, in one line: what is wrong, and what to do."""

from __future__ import annotations

import errno
import json

# What the system says in a word or two, with what to do; {0} is the path.
_SYSTEM = {
    errno.ENOENT: "{0} does not exist; check the path.",
    errno.EISDIR: "{0} is a folder; name a file.",
    errno.ENOTDIR: "{0} cannot be made or read: a part of its path is a file, not a folder; name another path.",
    errno.EEXIST: "{0} is a file where a folder is needed; name another path.",
    errno.EACCES: "{0} may not be used (permission denied); change its permissions, or name another path.",
    errno.EPERM: "{0} may not be used (operation not permitted); change its permissions, or name another path.",
    errno.EROFS: "{0} lies on a read-only file system; name another path.",
    errno.ENOSPC: "{0} cannot be written: the disk is full; make room, then give the same command again.",
    errno.EDQUOT: "{0} cannot be written: the disk quota is used up; make room, then give the same command again.",
    errno.ENAMETOOLONG: "{0:.60}... is too long for a file's name; name a shorter one.",
}


def reason(error: Exception) -> str:
    """What is wrong with a file of JSON: where it is none, or which field it lacks."""
    if isinstance(error, UnicodeDecodeError):
        return f"it is no UTF-8 text, byte {error.start}"
    if isinstance(error, KeyError):
        return f"it has no {error}"
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    line = f"line {error.lineno}, " if error.lineno > 1 else ""
    return f"{line}column {error.colno}: {error.msg}"


def sentence(error: BaseException) -> str:
    """One line; for what the system refuses, the path leads, and no number is shown."""
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        path = str(error.filename2 or error.filename or "A file")
        return _SYSTEM.get(error.errno, "{0} cannot be used ({1}); check the path.").format(path, error.strerror)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this; use a smaller beam, batch or list, or fewer resamples."
    return " ".join(str(error).split())
