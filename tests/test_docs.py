"""The examples of README.md and docs/: they run, print what the pages show, and name options that exist."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from asrbias.cli import COMMANDS, build_parser
from asrbias.loading import MODELS
from tests.doc_examples import RUNNABLE, calls, read_examples, run_examples, scripts

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "recipes" / "starter" / "demo"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Recipes' scripts and pages name commands too.
TEXTS = [*PAGES, *(p for p in sorted((ROOT / "recipes").rglob("*")) if p.suffix in (".md", ".sh", ".py"))]


def recording(name: str) -> Callable[[Path], None]:
    """One of the demo's recordings, as wav."""

    def write(path: Path) -> None:
        import soundfile

        samples, rate = soundfile.read(DEMO / f"{name}.flac")
        soundfile.write(path, samples, rate)

    return write


def flac(name: str) -> Callable[[Path], None]:
    """One of the demo's recordings, as it is."""
    return lambda path: shutil.copy(DEMO / f"{name}.flac", path) and None


def lines(*rows: str | dict[str, object]) -> Callable[[Path], None]:
    """A text file: strings as they are, mappings as JSON."""
    content = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    return lambda path: path.write_text(content, encoding="utf-8") and None


def zipped(*rows: str) -> Callable[[Path], None]:
    """A text file, gzip'd."""
    return lambda path: path.write_bytes(gzip.compress("\n".join(rows).encode())) and None


def tokens(path: Path) -> None:
    """A vocabulary's folder: the starter's."""
    path.mkdir()
    shutil.copy(MODELS / "starter" / "tokens.model", path)


NAMES = lines("Casablanca", "Montevideo", "Rotterdam")
CITIES = {"id": "a", "audio": "cities.wav", "text": "from casablanca to montevideo", "entities": ["Casablanca"]}
NEWS = {"id": "b", "audio": "news.wav", "text": "zelenskyy came back to kyiv", "entities": ["Zelenskyy", "Kyiv"]}
SCORED = {"id": "a", "text": "call Siobhan now", "hypothesis": "call Shivaun now", "entities": ["Siobhan"]}
OTHER = {"id": "b", "text": "we met in Kyiv", "hypothesis": "we met in give", "entities": ["Kyiv"]}
SENTENCES = lines("the cat sat on the mat", "a cat sat", "the mat")

# The files that a page takes for granted; what it shows as a file, the page writes itself.
FILES: dict[str, dict[str, Callable[[Path], None]]] = {
    "README.md": {
        "call.wav": recording("cities"),
        "news.wav": recording("news"),
        "names.txt": NAMES,
        "names.tsv": lines("phrase\tweight", "Rotterdam\t2"),
        "cities.wav": recording("cities"),
        "in.jsonl": lines(CITIES | {"corpus": "demo"}),
        "manifest.jsonl": lines(CITIES),
        "other.jsonl": lines(CITIES | {"hypothesis": "we flew"}),
        "sentences.txt": SENTENCES,
    },
    "transcribe.md": {"call.wav": recording("cities"), "news.wav": recording("news")},
    "live.md": {"call.flac": flac("cities"), "lecture.flac": flac("news"), "names.txt": NAMES},
    "explain.md": {"call.wav": recording("cities"), "names.txt": NAMES},
    "adapter.md": {"call.wav": recording("news"), "names.txt": NAMES},
    "phones.md": {"news.wav": recording("news")},
    "scoring.md": {
        "other.jsonl": lines(SCORED, OTHER),
        "refs.tsv": lines('a\tcall siobhan now\t["siobhan"]\t["siobhan"]', 'b\twe met in kyiv\t["kyiv"]\t["kyiv"]'),
        "hyps.tsv": lines("a\tcall siobhan now", "b\twe met in give"),
        "text": lines("a call siobhan now", "b we met in kyiv"),
        "hyp": lines("a call siobhan now", "b we met in give"),
        **{f"list{n}.jsonl": lines(SCORED | {"list_size": n}, OTHER | {"list_size": n}) for n in (10, 100, 1000)},
    },
    "ablation.md": {
        "cities.wav": recording("cities"),
        "news.wav": recording("news"),
        "manifest.jsonl": lines(CITIES, NEWS),
        "names.txt": lines("Ottawa", "Marrakesh", "Nairobi"),
    },
    "lm.md": {
        "sentences.txt": SENTENCES,
        "manifest.jsonl": lines({"text": "the cat slept"}),
        "more.txt.gz": zipped("my cat slept", "the mat is my mat"),
        "dev.txt": lines("the cat sat"),
        "call.wav": recording("cities"),
    },
    "training.md": {
        "train/manifest.jsonl": lines(CITIES, NEWS),
        "train/cities.wav": recording("cities"),
        "train/news.wav": recording("news"),
        "dev/manifest.jsonl": lines(NEWS),
        "dev/news.wav": recording("news"),
        "tokens": tokens,
    },
}


@pytest.mark.skipif(not (MODELS / "starter").is_dir(), reason="the starter model is not in this checkout")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = read_examples(page)
    if not any(one.language in RUNNABLE and one.not_run is None for one in examples):
        pytest.skip("no example that can be run")
    for name, write in FILES.get(page.name, {}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name)
    os.symlink(ROOT / "recipes", tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    run_examples(examples, tmp_path)


def test_what_is_not_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    marked = [one for page in PAGES for one in read_examples(page) if one.not_run is not None]
    with capsys.disabled():
        for one in marked:
            print(f"\n{one.place} is not run: {one.not_run}", end="")
    assert [one.place for one in marked if len((one.not_run or "").split()) < 2] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_stand_in_fences(page: Path) -> None:
    """Indented blocks would be neither run nor coloured."""
    indented = re.findall(r"^ {4,}(?:asrbias|python) .*", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert indented == []
    assert {one.language for one in read_examples(page) if one.file is None} <= {*RUNNABLE}, "a file's name is missing"


def _options() -> dict[str, frozenset[str]]:
    """Long options by command."""
    known = {}
    for command in COMMANDS:
        (subparsers,) = (a for a in build_parser(command)._actions if isinstance(a, argparse._SubParsersAction))
        known[command] = frozenset(subparsers.choices[command]._option_string_actions)
    return known


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_options_exist(path: Path) -> None:
    options, text = _options(), path.read_text(encoding="utf-8")
    for command, named in calls(text, options):
        assert set(named) <= options[command], f"asrbias {command}"
    written = "".join(script.read_text(encoding="utf-8") for script in ROOT.glob("recipes/*/*.py"))
    for script, named in scripts(text):
        if script.startswith("recipes"):
            assert [one for one in named if f'"{one}"' not in written] == [], script
    if path in PAGES and path.name != "log.md":  # which tells of what was once, too
        anywhere = frozenset().union(*options.values()) | {"--nproc-per-node"}
        assert set(re.findall(r"`(--[a-z][a-z-]*)", text)) <= anywhere
        assert {one for one in re.findall(r"`asrbias ([a-z-]+)", text)} <= {*COMMANDS}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("```python\nprint(1)\n```\n```text\n2\n```", "the page shows\n2\n"),
        ("```bash\nasrbias entities nonesuch.txt\n```", "ended with status 2, not 0"),
        ("```bash\necho a; false\n```", "ended with status 1, not 0"),
        ("```bash\nasrbias score --nonesuch # status 2\n```\n```text\nusage: nonesuch\n```", "the page shows"),
        ("```python\nprint(1)\n", "never closed"),
    ],
)
def test_a_wrong_page_fails(content: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AssertionError, ValueError), match=re.escape(says)):
        run_examples(read_examples(page), tmp_path)


def test_files_marks_and_outputs_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```tsv a/b.tsv\nx\ty\n```\n<!-- not run: needs a GPU -->\n```bash\nfalse\n```\n"
        "<!-- not run -->\n```bash\nfalse\n```\n```python\nprint(open('a/b.tsv').read())\n```\n"
        "\nprints\n\n```text\nx ...\n```\n",
        encoding="utf-8",
    )
    file, gpu, bare, shown = examples = read_examples(page)
    assert (file.file, gpu.not_run, bare.not_run, shown.not_run) == ("a/b.tsv", "needs a GPU", "", None)
    assert (shown.place, shown.printed) == ("page.md:12", "x ...\n")
    monkeypatch.chdir(tmp_path)
    run_examples(examples, tmp_path)
    assert (tmp_path / "a" / "b.tsv").read_text() == "x\ty\n"
