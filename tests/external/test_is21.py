"""The published scores of is21_deep_bias (Le et al. 2021), to every digit; needs the folder of shared checks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asrbias.score import ScoreOptions, score_utterances
from asrbias.score_files import read_run

ROOT = Path(__file__).parents[2]
CHECKS = Path(os.environ.get("ASRBIAS_SHARED", ROOT.parent / "shared")) / "checks" / "is21"
REFS = CHECKS / "ref.test-clean.biasing_100.tsv.gz"
SYSTEMS = ("b1.rnnt_baseline", "s2.b1+wfst.biasing_100", "s5.s3+db-nnlm.biasing_100")

pytestmark = pytest.mark.skipif(not REFS.exists(), reason=f"{REFS} is not here; name its root with ASRBIAS_SHARED")


@pytest.mark.parametrize("system", SYSTEMS)
def test_published_scores(system: str) -> None:
    run = read_run(CHECKS / f"test-clean.{system}.tsv.gz", REFS)
    totals = score_utterances(run.utterances, ScoreOptions(normalisation="none", wer_alignment="is21")).totals
    published = (CHECKS / f"test-clean.{system}.tsv.result").read_text().splitlines()
    assert [f"WER: {totals.wer}", f"U-WER: {totals.u_wer}", f"B-WER: {totals.b_wer}"] == published


def test_process_time_of_the_command() -> None:
    """The bars are 1.5 s without and 6 s with 10,000 resamples, on an idle machine; twice that fails here."""
    files = ["--refs", str(REFS), "--hyps", str(CHECKS / f"test-clean.{SYSTEMS[0]}.tsv.gz")]
    for more, bar in (([], 1.5), (["--resamples", "10000"], 6.0)):
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "asrbias.score_command", *files, *more],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        after = os.times()
        used = after.children_user - before.children_user + after.children_system - before.children_system
        assert used < 2 * bar
