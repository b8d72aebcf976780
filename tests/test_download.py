"""recipes/corpus: downloads that break off, run again, fill the disk or are damaged; unpacking; stages."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.corpus_server import CorpusServer, serve, tar_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recipes"))

from corpus import download as downloads
from corpus.archives import fetch_archives
from corpus.checksums import Checksum, ChecksumFile
from corpus.disk import DiskFullError, size_of
from corpus.download import Downloader, DownloadOptions
from corpus.errors import RecipeError
from corpus.remote import DownloadError, Remote
from corpus.stages import Stage, Stages
from corpus.unpack import unpack

QUICK = DownloadOptions(attempts=3, wait=0.0, timeout=5.0, reserve=0)
CONTENT = bytes(range(256)) * 4096  # 1 MiB
PATH = "/corpus/file.bin"


@pytest.fixture
def server() -> Iterator[CorpusServer]:
    with serve({PATH: CONTENT}) as running:
        yield running


def get(server: CorpusServer, folder: Path, checksum: Checksum | None = None) -> Path:
    return Downloader(folder, QUICK, quiet=True).fetch(Remote(server.url + PATH, checksum))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_comes_whole_and_is_not_asked_for_again(server: CorpusServer, tmp_path: Path) -> None:
    path = get(server, tmp_path)
    assert path.read_bytes() == CONTENT
    assert (tmp_path / "checksums.sha256").read_text() == f"{sha256(CONTENT)}  file.bin\n"
    asked = len(server.requests)
    assert get(server, tmp_path) == path
    assert len(server.requests) == asked and server.sent[PATH] == len(CONTENT)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["checksums.sha256", "file.bin"]


def test_a_cut_connection_is_taken_up_where_it_ended(server: CorpusServer, tmp_path: Path) -> None:
    server.cut_after[PATH] = [300_001, 0, 400_000]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.sent[PATH] == len(CONTENT), "no byte comes twice"
    ranges = [asked for _, _, asked in server.requests]
    assert ranges == [None, "bytes=300001-", "bytes=300001-", "bytes=700001-"]


def test_a_later_run_goes_on(server: CorpusServer, tmp_path: Path) -> None:
    server.cut_after[PATH] = [1000, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"3 connections brought nothing .*1.0 kB are there, and the same command"):
        get(server, tmp_path)
    assert not (tmp_path / "file.bin").exists() and (tmp_path / "file.bin.part").stat().st_size == 1000
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.sent[PATH] == len(CONTENT)


def test_an_overloaded_server_is_asked_again_and_a_missing_file_is_not(server: CorpusServer, tmp_path: Path) -> None:
    server.status[PATH] = [503, 429]
    assert get(server, tmp_path).read_bytes() == CONTENT
    with pytest.raises(DownloadError, match=r"answers 404 .*; check the address"):
        Downloader(tmp_path, QUICK, quiet=True).fetch(Remote(server.url + "/other.bin"))
    assert sum(path == "/other.bin" for _, path, _ in server.requests) == 1


def test_a_server_without_ranges_starts_again(server: CorpusServer, tmp_path: Path) -> None:
    server.cut_after[PATH], server.ranges = [500_000], False
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.sent[PATH] == len(CONTENT) + 500_000


@pytest.mark.parametrize("etags", [True, False])
def test_of_a_file_that_changed_meanwhile_nothing_is_mixed(server: CorpusServer, tmp_path: Path, etags: bool) -> None:
    server.etags = etags
    server.cut_after[PATH] = [500_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        get(server, tmp_path)
    server.files[PATH] = bytes(1 << 19)  # shorter, and other bytes
    assert get(server, tmp_path).read_bytes() == server.files[PATH]


def test_a_file_that_was_complete_but_not_yet_checked_is_not_asked_for(server: CorpusServer, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    known = {"url": server.url + PATH, "size": len(CONTENT), "etag": None, "modified": None}
    (tmp_path / "file.bin.part.json").write_text(json.dumps(known))
    assert get(server, tmp_path).read_bytes() == CONTENT and not server.requests


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_wrong_checksum_is_said_and_the_file_set_aside(server: CorpusServer, tmp_path: Path, algorithm: str) -> None:
    wrong = Checksum(algorithm, hashlib.new(algorithm, b"another").hexdigest())
    with pytest.raises(DownloadError, match=f"its {algorithm} is .*, but was given .*set aside as .*file.bin.wrong"):
        get(server, tmp_path, wrong)
    assert not (tmp_path / "file.bin").exists() and (tmp_path / "file.bin.wrong").read_bytes() == CONTENT
    right = Checksum(algorithm, hashlib.new(algorithm, CONTENT).hexdigest())
    assert get(server, tmp_path, right).read_bytes() == CONTENT


def test_the_checksum_of_the_first_download_holds_later(server: CorpusServer, tmp_path: Path) -> None:
    get(server, tmp_path).unlink()
    server.files[PATH] = CONTENT[:-1] + b"!"
    with pytest.raises(DownloadError, match="but it had at its first download"):
        get(server, tmp_path)


def test_a_checksum_given_later_is_compared_with_what_is_there(server: CorpusServer, tmp_path: Path) -> None:
    get(server, tmp_path)
    get(server, tmp_path, Checksum("md5", hashlib.md5(CONTENT).hexdigest()))
    with pytest.raises(DownloadError, match=r"Move .*file.bin away"):
        get(server, tmp_path, Checksum("sha256", sha256(b"another")))
    assert server.sent[PATH] == len(CONTENT)


def test_a_full_disk_is_seen_before_the_first_byte(
    server: CorpusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**9, used=0, free=600_000))
    with pytest.raises(DiskFullError, match=r"takes 1.0 MB, and 600.0 kB are free; make room for 448.6 kB more"):
        get(server, tmp_path)
    assert server.sent[PATH] <= len(CONTENT) and not (tmp_path / "file.bin.part").exists()


def test_a_disk_that_runs_full_while_writing_keeps_what_it_has(
    server: CorpusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [0]
    write = downloads._write_all

    def until_full(to: Any, block: bytes) -> None:
        if written[0] + len(block) > 400_000:
            write(to, block[: 400_000 - written[0]])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written[0] += len(block)
        write(to, block)

    monkeypatch.setattr(downloads, "_write_all", until_full)
    with pytest.raises(DiskFullError, match=r"ran full during the download of file.bin; make room and give the same"):
        get(server, tmp_path)
    assert (tmp_path / "file.bin.part").stat().st_size == 400_000
    monkeypatch.setattr(downloads, "_write_all", write)
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.requests[-1][2] == "bytes=400000-"


def test_archives_are_unpacked_and_not_asked_for_again(tmp_path: Path) -> None:
    archive = tar_of({"original/2009/a.ogg": b"a" * 1000, "original/2009/b.ogg": b"b"})
    with serve({"/notes.gz": gzip.compress(b"x"), "/one.tar": archive}) as server:
        plain, tars = [Remote(server.url + "/notes.gz")], [Remote(server.url + "/one.tar")]
        for _ in range(2):
            given = (Downloader(tmp_path / name, QUICK, quiet=True) for name in ("notes", "audio"))
            fetch_archives(next(given), plain, next(given), tars, keep=False)
        assert server.sent == {"/notes.gz": len(gzip.compress(b"x")), "/one.tar": len(archive)}
    assert (tmp_path / "audio/original/2009/a.ogg").read_bytes() == b"a" * 1000
    assert not (tmp_path / "audio/one.tar").exists(), "it is deleted when its files are there"


def test_a_checksum_given_later_is_compared_with_that_of_an_archive_that_is_gone(tmp_path: Path) -> None:
    with serve({"/one.tar": tar_of({"a": b"a"})}) as server:
        loader = Downloader(tmp_path, QUICK, quiet=True)
        fetch_archives(loader, [], loader, [Remote(server.url + "/one.tar")], keep=False)
        wrong = Remote(server.url + "/one.tar", Checksum("sha256", sha256(b"another")))
        with pytest.raises(DownloadError, match=r"but was given .* Remove what was unpacked from it"):
            fetch_archives(loader, [], loader, [wrong], keep=False)


def test_room_is_needed_for_archive_and_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**9, used=0, free=150_000))
    with serve({"/one.tar": tar_of({"a": bytes(100_000)})}) as server:
        loader = Downloader(tmp_path, QUICK, quiet=True)
        with pytest.raises(DiskFullError, match="to be downloaded and unpacked takes 2"):
            fetch_archives(loader, [], loader, [Remote(server.url + "/one.tar")], keep=False)
        assert not server.sent["/one.tar"]


def test_an_interrupted_unpacking_goes_on(tmp_path: Path) -> None:
    archive = tmp_path / "one.tar.gz"
    archive.write_bytes(tar_of({"x/a": b"aaaa", "x/b": b"bbbb"}, "w:gz"))
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a").write_bytes(b"AAAA")  # of the right size: it was whole, for a part has another name
    (tmp_path / "x/b").write_bytes(b"b")
    assert unpack(archive, tmp_path, keep=True) == 2
    assert [(tmp_path / name).read_bytes() for name in ("x/a", "x/b")] == [b"AAAA", b"bbbb"]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil"])
def test_archives_write_nothing_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "one.tar").write_bytes(tar_of({"good": b"x", name: b"x"}))
    with pytest.raises(RecipeError, match="no plain file below its folder"):
        unpack(tmp_path / "one.tar", tmp_path / "to", keep=True)
    assert not list((tmp_path / "to").iterdir())


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_damaged_archive_is_named(tmp_path: Path, mode: str) -> None:
    whole = tar_of({"a": os.urandom(40_000), "b": os.urandom(40_000)}, mode)
    (tmp_path / "one.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecipeError, match=r"one.tar is damaged .*download it anew"):
        unpack(tmp_path / "one.tar", tmp_path / "to", keep=True)
    assert not (tmp_path / "one.tar.unpacked.json").exists()


def stages(work: Path, log: list[str], **settings: int) -> Stages:
    def stage(name: str, *after: str) -> Stage:
        own = {"value": settings.get(name, 0)}
        return Stage(
            name=name, about="", run=lambda: log.append(name), settings=own, after=after, makes=(f"{name}.out",)
        )

    return Stages(work, [stage("first"), stage("second", "first"), stage("third", "second")])


def test_finished_stages_do_nothing_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log: list[str] = []
    stages(tmp_path, log).run()
    stages(tmp_path, log).run()
    assert log == ["first", "second", "third"]
    assert capsys.readouterr().err.count("nothing to do") == 3


def test_stages_run_apart_in_the_recipes_order(tmp_path: Path) -> None:
    log: list[str] = []
    with pytest.raises(RecipeError, match="The stage second needs first, which is not finished"):
        stages(tmp_path, log).run(["second"])
    stages(tmp_path, log).run(["second", "first"])
    assert log == ["first", "second"]
    with pytest.raises(RecipeError, match="There is no stage 'fourth'; the stages are first, second, third"):
        stages(tmp_path, log).run(["fourth"])


def test_what_changed_since_is_not_passed_over(tmp_path: Path) -> None:
    log: list[str] = []
    stages(tmp_path, log).run()
    with pytest.raises(
        RecipeError, match=r"second was finished with other settings \(value was 0, is 5\); give `second --again`"
    ):
        stages(tmp_path, log, second=5).run()
    (tmp_path / "second.out").touch()
    stages(tmp_path, log, second=5).run(["second"], again=True)
    assert log[3:] == ["second"] and not (tmp_path / "second.out").exists()
    with pytest.raises(RecipeError, match="third was finished from second, which is newer"):
        stages(tmp_path, log, second=5).run()


def test_a_stage_that_failed_is_not_finished(tmp_path: Path) -> None:
    def fail() -> None:
        raise RecipeError("no")

    broken = Stages(tmp_path, [Stage(name="one", about="", run=fail, settings={})])
    for _ in range(2):
        with pytest.raises(RecipeError, match=r"^no$"):
            broken.run()


def test_a_stopped_stage_does_not_go_on_with_other_settings(tmp_path: Path) -> None:
    def run(value: int, work: bool, again: bool = False) -> None:
        def make() -> None:
            if not work:
                raise RecipeError("stopped")

        settings = {"value": value}
        stage = Stage(name="one", about="", run=make, settings=settings, keeps_parts=True)
        Stages(tmp_path, [stage]).run(["one"], again=again)

    with pytest.raises(RecipeError, match="stopped"):
        run(1, False)
    with pytest.raises(RecipeError, match=r"one was begun with other settings \(value was 1, is 2\)"):
        run(2, True)
    run(1, True)
    run(2, True, again=True)


def test_two_runs_in_one_folder_do_not_meet(tmp_path: Path) -> None:
    def inner() -> None:
        with pytest.raises(RecipeError, match="Another run is at work"):
            Stages(tmp_path, []).run()

    Stages(tmp_path, [Stage(name="one", about="", run=inner, settings={})]).run()


def test_checksums_are_written_as_sha256sum_writes_them(tmp_path: Path) -> None:
    file = ChecksumFile(tmp_path)
    file.record("b", "1" * 64)
    file.record("a", "2" * 64)
    assert file.path.read_text() == f"{'2' * 64}  a\n{'1' * 64}  b\n" and file.read()["b"] == "1" * 64
    with pytest.raises(RecipeError, match="write sha256: and 64 hexadecimal digits"):
        Checksum.parse("sha256:12", "a")


def test_sizes_read_well() -> None:
    assert [size_of(n) for n in (999, 1_500, 62_500_000_000)] == ["999 bytes", "1.5 kB", "62.5 GB"]
