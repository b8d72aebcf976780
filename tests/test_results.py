"""docs/results and what shows it: every table in README and docs is what its script wrote, and of the shipped model."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "recipes" / "results"))  # behind those of recipes/starter, whose names it does not have

import groups  # noqa: E402
import page  # noqa: E402
import peers  # noqa: E402
import show  # noqa: E402
import speed  # noqa: E402

from asrbias.loading import find_model  # noqa: E402
from asrbias.score import Score, ScoreOptions, Utterance, score_utterances  # noqa: E402

PAGES = sorted(page.PAGES.glob("*.md"))
SHIPPED = page.model_digest(find_model("starter"))


def test_readme_and_docs_show_the_tables_as_they_are() -> None:
    assert show.changes(SHIPPED, write=False) == []


def test_there_are_tables_to_show() -> None:
    shown = [found for path in show.documents() for found in show.SHOWN.findall(path.read_text("utf-8"))]
    assert PAGES and shown


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_page_names_its_script_and_its_model(path: Path) -> None:
    text = path.read_text("utf-8")
    script, model = page.SCRIPT.search(text), page.MODEL.search(text)
    assert script is not None and (ROOT / script[1]).is_file()
    assert f"# docs/results/{path.name}" in (ROOT / script[1]).read_text("utf-8")
    assert model is not None
    assert model[2] == SHIPPED or page.EARLIER in text
    assert "table" in page.blocks(text)


def test_run_makes_every_page() -> None:
    run = (page.ROOT / "recipes/results/run.sh").read_text("utf-8")
    for path in PAGES:
        script = page.SCRIPT.search(path.read_text("utf-8"))
        assert script is not None and f" {Path(script[1]).stem}" in run.split("for table in")[1].split("; do")[0]


def test_every_page_keeps_to_trials_apart(tmp_path: Path) -> None:
    maker = _maker(tmp_path, limit=5)
    maker.write(page.Page(name="toy", title="Toy", blocks={"table": "| a |"}, about=["of nothing"]))
    assert maker.path == tmp_path / "build/trial/toy.md" and maker.path.is_file()
    assert not (tmp_path / "pages").exists()


def test_what_has_not_changed_is_not_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = _maker(tmp_path)
    assert not maker.done()
    maker.write(page.Page(name="toy", title="Toy", blocks={"table": "| a |"}, about=["of nothing"], drawing="<svg/>"))
    assert maker.done() and "up to date" in capsys.readouterr().out
    assert (tmp_path / "pages/toy.svg").read_text("utf-8") == "<svg/>"
    maker.arguments.again = True
    assert not maker.done()
    assert not _maker(tmp_path, options={"sizes": [7]}).done()
    (tmp_path / "data").write_text("other words", "utf-8")
    assert not _maker(tmp_path).done()


def test_a_page_of_another_model_says_so_until_it_is_made_again(tmp_path: Path) -> None:
    root = _documents(tmp_path, "<!-- results: toy -->\nold\n<!-- end -->\n")
    maker = _maker(tmp_path)
    maker.write(page.Page(name="toy", title="Toy", blocks={"table": "| a |"}, about=["of nothing"]))
    pages = tmp_path / "pages"
    assert show.changes(SHIPPED, pages, root) == [root / "README.md"]
    assert (root / "README.md").read_text("utf-8") == "<!-- results: toy -->\n| a |\n<!-- end -->\n"
    assert show.changes(SHIPPED, pages, root) == []
    assert show.changes("0" * 12, pages, root) == [pages / "toy.md", root / "README.md"]
    assert page.EARLIER in (root / "README.md").read_text("utf-8")
    assert show.changes("0" * 12, pages, root) == []
    show.changes(SHIPPED, pages, root)
    assert page.EARLIER not in (root / "README.md").read_text("utf-8")


def test_a_block_that_is_not_there_is_named(tmp_path: Path) -> None:
    root = _documents(tmp_path, "<!-- results: toy/other -->\n<!-- end -->\n")
    _maker(tmp_path).write(page.Page(name="toy", title="Toy", blocks={"table": "| a |"}, about=["of nothing"]))
    with pytest.raises(SystemExit, match=r"has no block 'other'; it has table"):
        show.changes(SHIPPED, tmp_path / "pages", root)


def _documents(folder: Path, readme: str) -> Path:
    root = folder / "root"
    (root / "docs").mkdir(parents=True)
    (root / "README.md").write_text(readme, "utf-8")
    return root


def _maker(folder: Path, **more: Any) -> page.Maker:
    """Of a page "toy", made by this file."""
    data = folder / "data"
    if not data.exists():
        data.write_text("some words", "utf-8")
    arguments = Namespace(
        output=folder / "build", pages=folder / "pages", model="starter", again=False, limit=more.pop("limit", None)
    )
    return page.Maker(name="toy", script=Path(__file__), arguments=arguments, data=[data], **more)


# Groups


def _scores(rows: list[tuple[dict[str, str], str, str, str, list[str]]]) -> tuple[Score, Score]:
    """(fields, reference, with the list, without it, entities) -> both scores."""
    made = [
        [
            Utterance(
                id=str(n), reference=text, hypothesis=said[k], entities=tuple(own), list=tuple(own), fields=fields
            )
            for n, (fields, text, *said, own) in enumerate(rows)
        ]
        for k in (0, 1)
    ]
    with_list, without = (score_utterances(one, ScoreOptions()) for one in made)
    return with_list, without


def _speakers(gender: str, count: int, *, gains: bool) -> list[tuple[dict[str, str], str, str, str, list[str]]]:
    """Speakers of one gender, each with four utterances of ten words; the list finds the name or does not."""
    rest = "one two three four five six seven eight nine"
    rows = []
    for k in range(count):
        fields = {"corpus": "commonvoice-en", "gender": gender, "speaker": f"{gender}{k}", "accent": "", "age": ""}
        said = "siobhan" if gains else "chevron"
        rows += [(fields, f"siobhan {rest}", f"{said} {rest}", f"chevron {rest}", ["siobhan"])] * 4
    return rows


def test_a_group_that_the_gain_leaves_behind_is_named() -> None:
    made = groups.make_groups(_scores([*_speakers("female", 8, gains=False), *_speakers("male", 8, gains=True)]))
    assert [group.name for group in made] == ["Common Voice, female", "Common Voice, male"]  # one corpus: no row for it
    said = groups.remarks(made)
    assert sum("Left behind" in one for one in said) == 1
    assert next(one for one in said if "Left behind" in one).startswith(
        "**Left behind**: Common Voice, female. The list gains 100.0"
    )
    assert any(one.startswith("No certain gain of WER: Common Voice, female") for one in said)
    table = groups.table(made)
    assert "| Common Voice, male | 8 | 320 | 32 | 10.0 | 0.0 | -10.0 (-10.0 to -10.0) | 0.0 | 100.0 |" in table


def test_groups_that_gain_alike_are_not_named() -> None:
    made = groups.make_groups(_scores([*_speakers("female", 6, gains=True), *_speakers("male", 6, gains=True)]))
    assert "No group's gain of F1 is certainly below that of the rest of its kind." in groups.remarks(made)
    assert not any("Left behind" in one for one in groups.remarks(made))


def test_small_groups_are_joined_and_few_speakers_marked() -> None:
    rows = [*_speakers("male", 3, gains=True), *_speakers("female", 3, gains=True), *_speakers("", 6, gains=True)]
    made = groups.make_groups(_scores(rows))
    assert [(group.name, group.speakers) for group in made] == [
        ("Common Voice, (unknown)", 6),
        ("Common Voice, other", 6),
    ]
    few = groups.table([replace(made[0], speakers=2)])
    assert "| 2† |" in few and "fewer than 5 speakers" in few


@pytest.mark.parametrize(
    "field, said, group",
    [
        ("age", "6", "to 12"),
        ("age", "13", "13 to 19"),
        ("age", "teens", "13 to 19"),
        ("age", "29", "20 to 29"),
        ("age", "fourties", "30 and more"),  # as Common Voice spells it
        ("gender", "female_feminine", "female"),
        ("accent", "India and South Asia (India, Pakistan, Sri Lanka),United States English", "India and South Asia"),
        ("accent", "", "(unknown)"),
    ],
)
def test_groups_of_a_field(field: str, said: str, group: str) -> None:
    assert groups.value(field, {field: said}) == group


# Peers and speed


def _row(name: str, f1: float, hits: float, minus: float) -> dict[str, Any]:
    against = {"asrbias, bias 1": {"f1": [minus, minus - 1, minus + 1]}}
    return {"name": name, "f1": f1, "false_hits": hits, "ours_minus": against}


def test_a_peer_that_is_ahead_is_said() -> None:
    ours = _row("asrbias, bias 1", 60.0, 0.5, 0.0)
    ahead = peers.remarks({"own-100": [ours, _row("spotter", 72.0, 18.0, -12.0), _row("flashlight", 50.0, 1.0, 10.0)]})
    assert ahead == [
        "N = 100, best peer spotter (72.0): asrbias, bias 1 **behind**, -12.0 (-13.0 to -11.0), misses 1.43 of what it "
        "misses (at most 0.7 wanted, **not reached**), false hits 0.5 against 18.0."
    ]
    behind = peers.remarks({"own-1000": [ours, _row("spotter", 30.0, 0.1, 30.0)], "alone-1000": [ours]})
    assert behind == [
        "N = 1,000, best peer spotter (30.0): asrbias, bias 1 ahead, +30.0 (+29.0 to +31.0), misses 0.57 of what it "
        "misses (at most 0.6 wanted), false hits 0.5 against 0.1 (**more**)."
    ]


def test_what_the_benches_print_is_read() -> None:
    printed = (
        "without a language model\n"
        "a list of 100,000 made ready                                    1.53 s     (at most 2)\n"
        "peers, beam 32\n"
        "pyctcdecode, no list: its time over ours                       19.80 times (at least 5)\n"
        "flashlight-text, language model: its time over ours             1.20 times (at least 2)  MISSED\n"
    )
    assert list(speed.read_reports(printed)) == [
        ("no language model: a list of 100,000 made ready", "1.53 s", "at most 2 s", False),
        ("pyctcdecode, no list: its time over ours", "19.8 times", "at least 5 times", False),
        ("flashlight-text, language model: its time over ours", "1.20 times", "at least 2 times", True),
    ]
    times = {"no list": 1.0, "list of 1,000, compiled before": 1.57}
    heard = "".join(f"10 s of audio, {what}: {time} % of real time\n" for what, time in times.items())
    assert list(speed.read_recognizer(heard)) == [
        ("10 s of audio to text, list of 1,000, compiled before, over no list (wall-clock)", "1.57 times")
    ]
    lines = [("0", 0.010), ("10", 0.020), ("10,000", 0.030)]
    search = "".join(f"    {size:>7} phrases       1.0 ms   {time:.3f} % of real time\n" for size, time in lines)
    assert list(speed.read_decoder(search)) == [
        ("search with the default options, list of 10,000 over one of 10", "1.50 times")
    ]


# End to end, on what is at hand


@pytest.mark.parametrize("script", ["main", "list_size"])
def test_a_trial_makes_its_page(script: str, shared: Path, tmp_path: Path) -> None:
    more = ["--longest", "100"] if script == "list_size" else []
    command = [sys.executable, str(ROOT / f"recipes/results/{script}.py"), str(shared), "--limit", "2"]
    command += ["--output", str(tmp_path), "--pages", str(tmp_path / "pages"), *more]
    subprocess.run(command, check=True, capture_output=True)
    text = (tmp_path / "trial" / f"{script.replace('_', '-')}.md").read_text("utf-8")
    assert "own entities" in page.blocks(text)["table"] and page.MODEL.search(text)
    assert len(list((tmp_path / "encoded").iterdir())) == 1
    assert json.loads(next((tmp_path / "hypotheses").iterdir()).read_text("utf-8"))["hypotheses"]
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "up to date" in again.stdout
