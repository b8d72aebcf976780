"""Shared by all tests: one thread for torch, and where the shared data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Tests are small: several threads only wait for each other. Must be set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time: a commit must not pass or fail by luck. HYPOTHESIS_PROFILE=random looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data (ASRBIAS_SHARED, else ../shared beside the repository); skips where it is absent."""
    folder = Path(os.environ.get("ASRBIAS_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"the shared data are not at {folder}; set ASRBIAS_SHARED")
    return folder
