"""Miniature corpora: archives, recordings and settings, and a real HTTP server on loopback to get them from.

The server answers range requests, counts the bytes it sends, and can be told to misbehave.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import soundfile

RATE = 16_000
LEARNING = """
[tokens]
size = 40
[base]
layers = 4
dim = 16
heads = 2
subword-layers = [1, 3]
phone-layer = 2
steps = 2
warmup = 1
seconds = 8.0
evaluate-every = 2
[bank]
hours = 1.0
passes = 1
[bottleneck]
phone-layer = 2
phone-middle = [1]
[sentences]
count = 60
[spelling]
steps = 3
warmup = 1
seconds = 8.0
text-seconds = 10.0
evaluate-every = 3
[adapter]
steps = 3
seconds = 10.0
dim = 16
heads = 2
evaluate-every = 3
workers = 0
[tune]
utterances = 0
[transcribe]
beam = 4
[score]
resamples = 100
"""  # two or three updates of a tiny model: every stage in seconds


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar archive; mode "w:gz" zips it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def tones(seed: int, seconds: float, format: str, subtype: str) -> bytes:
    """A recording of tones that change four times a second."""
    draw = np.random.default_rng(seed)
    time = np.arange(RATE // 4) / RATE
    parts = [np.sin(2 * np.pi * draw.uniform(200, 3000) * time) for _ in range(int(seconds * 4))]
    wave = 0.3 * np.concatenate(parts) + 0.01 * draw.standard_normal(len(parts) * len(time))
    out = io.BytesIO()
    soundfile.write(out, wave.astype(np.float32), RATE, format=format, subtype=subtype)
    return out.getvalue()


@dataclass
class CorpusServer:
    """What is served, how, and what was asked for."""

    files: dict[str, bytes]  # content by path, as "/audios/original_2009.tar"
    url: str = ""
    ranges: bool = True  # whether range requests are answered in part
    etags: bool = True
    cut_after: dict[str, list[int]] = field(default_factory=dict)  # bytes after which each next answer breaks off
    status: dict[str, list[int]] = field(default_factory=dict)  # of each next answer, instead of a good one
    sent: Counter[str] = field(default_factory=Counter)  # bytes of content by path
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, Range

    def etag(self, path: str) -> str:
        return '"' + hashlib.sha256(self.files[path]).hexdigest()[:16] + '"'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    corpus: ClassVar[CorpusServer]

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        corpus, path = self.corpus, self.path
        corpus.requests.append((self.command, path, self.headers.get("Range")))
        wrong = corpus.status.get(path, []) if body else []
        if path not in corpus.files or wrong:
            self.send_error(wrong.pop(0) if wrong else 404)
            return
        content = corpus.files[path]
        start = self._start(content, path)
        if start is None:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if corpus.etags:
            self.send_header("ETag", corpus.etag(path))
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if body:
            cuts = corpus.cut_after.get(path, [])
            end = start + cuts.pop(0) if cuts else len(content)
            part = content[start:end]
            self.wfile.write(part)
            corpus.sent[path] += len(part)
            self.close_connection = end < len(content)

    def _start(self, content: bytes, path: str) -> int | None:
        """The first byte to send; None where the range lies beyond the end."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        given = self.headers.get("If-Range")
        if found is None or not self.corpus.ranges or (given is not None and given != self.corpus.etag(path)):
            return 0
        return int(found[1]) if int(found[1]) < len(content) else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error."""


@contextlib.contextmanager
def serve(files: dict[str, bytes]) -> Iterator[CorpusServer]:
    """Serve `files` until the block ends."""
    corpus = CorpusServer(files)
    handler = type("Handler", (_Handler,), {"corpus": corpus})
    server = _Server(("127.0.0.1", 0), handler)
    corpus.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield corpus
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
