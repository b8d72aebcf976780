"""The report in a real browser: no console error, the sort and the filters work. Needs chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from asrbias.score_analysis import AnalysisOptions, analyse
from asrbias.score_files import read_run
from asrbias.score_html import page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

CLICKS = """<script>
const rows = () => [...document.querySelectorAll("#utterances tbody tr:nth-child(odd)")];
const column = (k) => rows().map((r) => r.children[k].textContent);
const heads = document.querySelectorAll("#utterances th button");
heads[2].click(); console.log("SEEN down " + column(2));
heads[2].click(); console.log("SEEN up " + column(2));
document.getElementById("missing").click(); console.log("SEEN entities " + column(0));
</script></body>"""


def test_report_in_chromium(tmp_path: Path) -> None:
    rows = [("u1", "call kyiv now", "call keef now"), ("u2", "a b", "a b"), ("u3", "kyiv </script>", "x y")]
    (tmp_path / "out.jsonl").write_text(
        "".join(
            json.dumps({"id": key, "text": text, "hypothesis": said, "entities": ["Kyiv"]}) + "\n"
            for key, text, said in rows
        )
    )
    html = page(analyse("out", read_run(tmp_path / "out.jsonl"), AnalysisOptions()))
    (tmp_path / "r.html").write_text(html.replace("</body>", CLICKS))
    chromium = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
         "--virtual-time-budget=2000", f"--user-data-dir={tmp_path / 'profile'}", str(tmp_path / "r.html")],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    console = re.findall(r'CONSOLE.*?\] "(.*?)", source', chromium.stderr)
    assert console == ["SEEN down 100.00,33.33,0.00", "SEEN up 0.00,33.33,100.00", "SEEN entities u1,u3"]
