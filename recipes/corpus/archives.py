"""All files of a corpus: room looked at first, then one archive after the other downloaded and unpacked."""

from __future__ import annotations

from collections.abc import Sequence

from corpus.disk import require_space
from corpus.download import Downloader
from corpus.remote import Remote
from corpus.stages import say
from corpus.unpack import is_unpacked, unpack


def fetch_archives(
    files: Downloader, plain: Sequence[Remote], tars: Downloader, archives: Sequence[Remote], *, keep: bool
) -> None:
    """Download `plain` files and tar `archives`, unpack these where they are, and delete them unless `keep`.

    An archive that was unpacked is not asked for again. Before the first byte there must be room for all that is still
    to come and for what is in the archives; one that is deleted makes room for its own files, but for the largest.
    """
    waiting = [archive for archive in archives if not is_unpacked(tars.folder / archive.name)]
    small, large = files.missing(plain), tars.missing(waiting)
    sizes = [missing.size for missing in large.values()]
    needed = sum(missing.to_come for missing in (*small.values(), *large.values()))
    needed += sum(sizes) if keep else max(sizes, default=0)
    if needed:
        require_space(tars.folder, needed + tars.options.reserve, "what is to be downloaded and unpacked")
    for remote in plain:
        files.fetch(remote)
    for number, archive in enumerate(archives, 1):
        path = tars.folder / archive.name
        if is_unpacked(path):
            tars.check_recorded(archive)
            say(f"  {path.name}: unpacked already")
            continue
        tars.fetch(archive)
        count = unpack(path, tars.folder, keep=keep, reserve=tars.options.reserve)
        say(f"  {path.name}: {count} files ({number} of {len(archives)} archives)")
