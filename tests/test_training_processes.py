"""Training as processes: killed with SIGKILL, and two at once under torchrun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from asrbias.tokens import Vocabulary
from asrbias.training.checkpoint import CHECKPOINT_FILE, last_weights
from asrbias.training.shards import write_shard
from tests.test_training import speak

TEXTS = ["abba", "cab", "bac", "acca", "baab", "cbc", "abc", "cc"]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    write_shard(tmp_path / "toy", (({"id": t, "text": t, "corpus": "toy"}, speak(t)) for t in TEXTS))
    Vocabulary.from_characters(" 'abcdefghijklmnopqrstuvwxyz").save(tmp_path / "tokens")
    sizes = "--dim 16 --layers 2 --heads 2 --steps 12 --warmup 2 --seconds 2 --workers 0 --save-every 2 --threads 1"
    return [
        "-m",
        "asrbias",
        "train",
        "--data",
        str(tmp_path / "toy.jsonl"),
        "--tokens",
        str(tmp_path / "tokens"),
        *sizes.split(),
    ]


def test_a_run_killed_by_sigkill_ends_as_if_it_had_not_been(command: list[str], tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([sys.executable, *command, "--output", str(whole)], check=True, capture_output=True)
    process = subprocess.Popen([sys.executable, *command, "--output", str(cut)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (cut / CHECKPOINT_FILE).is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was still running"
    assert (cut / CHECKPOINT_FILE).is_file()
    subprocess.run([sys.executable, *command, "--output", str(cut)], check=True, capture_output=True)
    one, other = last_weights(whole), last_weights(cut)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_two_processes_share_the_work(command: list[str], tmp_path: Path) -> None:
    output = tmp_path / "two"
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*run, *command, "--output", str(output)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert last_weights(output) and json.loads((output / "config.json").read_text())["notes"]["step"] == 12
