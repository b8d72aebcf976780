"""A Ray cluster: found or started, and left again.

    with cluster(RayOptions(address="local")) as ray: ...

An address at which no Ray answers is told within half a minute: `ray.init` itself would try for minutes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ANSWER = 5.0  # seconds in which a port must answer
CONNECT = 30.0  # seconds in which Ray must have said yes
STORE = 256 * 2**20  # bytes of shared memory of a Ray started here: what is in it is text
_TRY = "import sys, ray; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')"


class ClusterError(ValueError):
    """A cluster cannot be used, or cannot do the work; the message says why."""


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    address: str  # "local" (one is started on this machine), "auto", "HOST:PORT" or "ray://HOST:PORT"
    workers: int | None = None  # None: as many as the cluster has CPUs (or GPUs) for
    cpus: int = 1  # for each worker
    gpu: bool = False  # whether each worker has one for itself

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"There would be {self.workers} workers; give 1 or more, or leave it out.")
        if self.cpus < 1:
            raise ValueError(f"A worker would have {self.cpus} CPUs; give 1 or more.")


@contextlib.contextmanager
def cluster(options: RayOptions) -> Iterator[Any]:
    """The module `ray`, connected; what is connected already is used and stays so. Raises ClusterError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would send reports
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else it writes on standard error what only Ray can use
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ClusterError("--ray needs Ray, which is not installed; pip install 'asrbias[ray]'.") from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():
        yield ray
        return
    _connect(ray, options)
    try:
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: Any, options: RayOptions) -> None:
    given: dict[str, Any] = {}
    if options.address == "local":
        cpus = max(os.cpu_count() or 1, (options.workers or 0) * options.cpus)
        given = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": STORE}
        given["_node_ip_address"] = "127.0.0.1"
    else:
        _ask(options.address)
    try:
        with _hushed():  # it would write that its log's level is another
            ray.init(options.address, log_to_driver=False, logging_level="ERROR", **given)
    except Exception as error:  # ConnectionError, RuntimeError, ValueError, and Ray's own
        raise ClusterError(_refused(options.address, str(error))) from error


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Nothing on standard error, not even from native code."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _ask(address: str) -> None:
    """Raises ClusterError unless a Ray of this version answers at the address."""
    if address != "auto":
        host, colon, port = address.removeprefix("ray://").rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) < 65_536):
            raise ClusterError(f"--ray {address!r} is no address; write local, auto, HOST:PORT or ray://HOST:PORT.")
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
        except OSError as error:
            raise ClusterError(_refused(address, f"{error.strerror or error}")) from error
    try:  # in a process of its own, as it cannot be broken off in this one
        done = subprocess.run([sys.executable, "-c", _TRY, address], capture_output=True, text=True, timeout=CONNECT)
    except subprocess.TimeoutExpired as error:
        raise ClusterError(_refused(address, f"no answer in {CONNECT:.0f} seconds")) from error
    if done.returncode:
        raise ClusterError(_refused(address, done.stderr))


def _refused(address: str, said: str) -> str:
    where = "here" if address == "auto" else f"at {address}"
    return (
        f"No Ray cluster answers {where} ({last_line(said)}); start one with `ray start --head`, or give --ray local."
    )


def last_line(said: str) -> str:
    """What a traceback ends with."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (lines[-1] if lines else "no reason given").rstrip(".")[:300]
