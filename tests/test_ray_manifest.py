"""A manifest over Ray: the same output as one process, whoever is killed. One small Ray here serves all tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from asrbias.cli import main
from asrbias.encoder import EncoderConfig
from asrbias.loading import load
from asrbias.manifest import in_process, transcribe_manifest
from asrbias.model import Model, save_model
from asrbias.ray_cluster import ClusterError, RayOptions
from asrbias.ray_manifest import on_ray
from asrbias.ray_worker import Work, make_recognizer
from asrbias.recognizer import Recognizer
from asrbias.tokens import Vocabulary

LINES = 50  # blocks of 16, 16, 16 and 2


@pytest.fixture(scope="module", autouse=True)
def settings() -> Iterator[None]:
    """What Ray reads when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", os.urandom(16).hex())  # else it writes one into the home folder
        patch.setenv("RAY_worker_niceness", "0")
        yield


@pytest.fixture(scope="module")
def ray(settings: None) -> Iterator[Any]:
    module = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    module.init(
        "local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False,
        logging_level="ERROR", _node_ip_address="127.0.0.1",
    )  # fmt: skip
    yield module
    module.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained model, recordings, and a manifest of which some lines cannot be done."""
    path = tmp_path_factory.mktemp("corpus")
    torch.manual_seed(0)
    config = EncoderConfig(
        vocabulary=29, dim=16, layers=2, heads=2, kernel=3, subword_layers=(1,), phone_layer=1, stem_channels=4
    )
    model = Model(config, Vocabulary.from_characters(" 'abcdefghijklmnopqrstuvwxyz"))
    with torch.no_grad():
        model.encoder.head.bias[0] = 2.0  # mostly blank, as a trained model is
    save_model(model, path / "model")
    rows = []
    for number in range(LINES):
        noise = np.random.default_rng(number).standard_normal(2_000 + 200 * number) * 0.1
        soundfile.write(path / f"{number}.wav", noise.astype(np.float32), 16_000)
        rows.append({"id": number, "audio": f"{number}.wav", "entities": ["ab", "Київ"], "né": 0.1 * number})
    rows[20]["audio"] = "missing.wav"
    (path / "33.wav").write_bytes(b"no audio")
    text = [json.dumps(row) for row in rows]
    (path / "in.jsonl").write_text("\n".join([*text[:5], "", *text[5:]]))  # an empty line, and none at the end
    return path


def make(folder: Path) -> Recognizer:
    return load(folder / "model")


def transcribe(folder: Path, output: Path, recognizer: Callable[[], Recognizer], **options: Any) -> bytes:
    """Over Ray."""
    rows = on_ray(recognizer, str, RayOptions(address="local", **options))
    transcribe_manifest(folder / "in.jsonl", output, rows, None, no_list=False, settings={})
    return output.read_bytes()


@pytest.fixture(scope="module")
def alone(folder: Path) -> bytes:
    """What one process writes."""
    rows, output = in_process(partial(make, folder)), folder / "alone.jsonl"
    assert transcribe_manifest(folder / "in.jsonl", output, rows, None, no_list=False, settings={}) == 2
    return output.read_bytes()


class Killed(Recognizer):
    """Its process is killed at the block that begins with recording `at`, `times` times."""

    def __init__(self, folder: Path, at: int, times: int) -> None:
        self.__dict__.update(vars(make(folder)))
        self.folder, self.at, self.times = folder, at, times

    def whole(self, audio: Any) -> Any:
        marks = list(self.folder.glob(f"killed-{self.at}-*"))
        if Path(audio).stem == str(self.at) and len(marks) < self.times:
            (self.folder / f"killed-{self.at}-{len(marks)}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().whole(audio)


# --- without a cluster ---


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--ray", "nonsense"], "'nonsense' is no address; write local, auto, HOST:PORT"),
        (["--ray", "127.0.0.1:1"], "No Ray cluster answers at 127.0.0.1:1 (Connection refused); start one with"),
        (["--ray", "ray://127.0.0.1:1"], "No Ray cluster answers at ray://127.0.0.1:1 (Connection refused)"),
        (["--ray", "local", "--ray-workers", "0"], "There would be 0 workers"),
        (["--ray", "local", "--ray-cpus", "0"], "A worker would have 0 CPUs"),
        (["--ray", "local", "--device", "cuda:1"], "--device cuda:1 is one machine's"),
    ],
)
def test_bad_options_are_one_sentence(
    given: list[str], says: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray.data")
    command = ["transcribe", "--manifest", str(folder / "in.jsonl"), "--model", str(folder / "model")]
    assert main([*command, "--output", str(tmp_path / "out.jsonl"), *given]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "transcribing" not in line]
    assert len(said) == 1 and says in said[0]


def test_recordings_are_not_for_ray(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "call.wav", "--ray", "local"]) == 2
    assert "--ray is for --manifest" in capsys.readouterr().err


def test_where_ray_is_missing_it_is_said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"--ray needs Ray, which is not installed; pip install 'asrbias\[ray\]'"):
        transcribe(folder, tmp_path / "out.jsonl", partial(make, folder))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"expected": "other"}, "has another model of that name; make them the same"),
        ({"folder": Path("/nonesuch")}, "has no folder /nonesuch, to which paths are relative"),
    ],
)
def test_a_machine_with_other_files_is_said(changed: dict[str, Any], says: str, folder: Path) -> None:
    given = {"recognizer": partial(make, folder), "fingerprint": str, "expected": "", "folder": None, "entities": None}
    work = Work(**{**given, "manifest": folder / "in.jsonl", "no_list": False, "cpus": 1, **changed})
    with pytest.raises(ClusterError, match=says):
        make_recognizer(work)


# --- with one ---


def test_the_command_writes_what_one_process_writes(
    ray: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)  # relative paths mean the same to a worker
    command = ["transcribe", "--manifest", "in.jsonl", "--model", "model"]
    assert main([*command, "--output", str(tmp_path / "one.jsonl")]) == 2
    said = capsys.readouterr().err
    assert main([*command, "--output", str(tmp_path / "ray.jsonl"), "--ray", "local", "--ray-workers", "2"]) == 2
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    told = capsys.readouterr().err
    for line in (one for one in said.splitlines() if "one.jsonl" in one or "not used" in one):
        assert line.replace("one.jsonl", "ray.jsonl") in told.splitlines()
    assert told.count("Київ") == said.count("Київ") == 1


def test_killed_workers_lose_and_double_nothing(
    ray: Any, folder: Path, alone: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """First a block kills every worker, which ends the run; then, when it goes on, another block kills one."""
    output = tmp_path / "out.jsonl"
    with pytest.raises(ClusterError, match=r"in.jsonl:18 to 33: 3 workers died of these lines"):
        transcribe(folder, output, partial(Killed, folder, 19, 4), workers=1)
    (part,) = tmp_path.glob("out.jsonl.*.part")
    assert alone.startswith(part.read_bytes()) and part.read_bytes().count(b"\n") == 16, "what is done stays"
    part.write_bytes(b"".join(alone.splitlines(keepends=True)[:20]) + b'{"id": 2')  # and the command died in a line
    assert transcribe(folder, output, partial(Killed, folder, 35, 1)) == alone
    assert len(list(folder.glob("killed-*"))) == 4
    assert "in.jsonl:34 to 49: done again, as a worker had died" in capsys.readouterr().err


def test_a_model_that_cannot_be_loaded_ends_the_run(ray: Any, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="There is no model 'nonesuch'"):
        transcribe(folder, tmp_path / "out.jsonl", partial(load, "nonesuch"), workers=1)


def test_a_machine_too_small_is_said(ray: Any, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="No machine of the cluster has 64 CPUs, as a worker needs"):
        transcribe(folder, tmp_path / "out.jsonl", partial(make, folder), cpus=64)


def test_a_killed_command_goes_on(ray: Any, folder: Path, tmp_path: Path) -> None:
    """Killed with -9 as soon as something is written; the same command then gives what one process gives."""
    command = ["transcribe", "--manifest", str(folder / "in.jsonl"), "--model", str(folder / "model")]
    assert main([*command, "--output", str(tmp_path / "one.jsonl")]) == 2
    output = tmp_path / "out.jsonl"
    command += ["--output", str(output), "--ray", ray.get_runtime_context().gcs_address, "--ray-workers", "1"]
    run = subprocess.Popen([sys.executable, "-m", "asrbias", *command], stderr=subprocess.PIPE)
    while not any(part.stat().st_size for part in tmp_path.glob("out.jsonl.*.part")):
        assert run.poll() is None and time.sleep(0.01) is None, run.stderr
    run.kill()
    run.communicate()
    (part,) = tmp_path.glob("out.jsonl.*.part")
    kept = part.read_bytes()
    assert not output.exists()
    assert main(command) == 2
    assert output.read_bytes() == (tmp_path / "one.jsonl").read_bytes() and output.read_bytes().startswith(kept)
