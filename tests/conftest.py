"""Shared by all tests: one thread for torch, and where the shared data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests are small: several threads only wait for each other. Must be set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data (ASRBIAS_SHARED, else ../shared beside the repository); skips where it is absent."""
    folder = Path(os.environ.get("ASRBIAS_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"the shared data are not at {folder}; set ASRBIAS_SHARED")
    return folder
