"""asrbias explain: the explanation's checks and summary, the page's drawings, the command end to end."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
import struct
import subprocess
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from asrbias.adapter import AdapterConfig, ContextualAdapter
from asrbias.adapting import AdapterOptions
from asrbias.cli import main
from asrbias.decode_options import DecodeOptions
from asrbias.encoder import EncoderConfig
from asrbias.entities import Entity, EntityList
from asrbias.explain import explain
from asrbias.explain_html import PageOptions, differences, page, window
from asrbias.explain_strips import LEFT, LONGEST, SCALE, SHORTEST, cut
from asrbias.explanation import CHANGES, ENTITIES, Explanation, ExplanationError
from asrbias.joint import JointOptions
from asrbias.model import Model, load_model, save_model
from asrbias.png import png, quantised, ramp
from asrbias.recognizer import Recognizer
from asrbias.tokens import Vocabulary
from asrbias.transcript import Transcript, TranscriptWord

STEP = 0.04
LABELS = ("<blank>", "▁cow", "▁kow", "a", "</script>")
EVIL = "<img src=x onerror=alert(1)>&\"'</script>"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def transcript(*words: tuple[str, float, float], listed: tuple[str, ...] = (), duration: float = 2.0) -> Transcript:
    made = tuple(
        TranscriptWord(text, start, end, 0.75, Entity(text) if text in listed else None) for text, start, end in words
    )
    return Transcript(" ".join(word.text for word in made), made, (), duration)


def posteriors(frames: int, *peaks: tuple[int, int, float]) -> np.ndarray:
    """[T, 5]: blank nearly everywhere; in frame t label v has probability p for each (t, v, p)."""
    chances = np.full((frames, len(LABELS)), 0.01)
    chances[:, 0] = 0.96
    for frame, label, chance in peaks:
        chances[frame] = (1 - chance) / (len(LABELS) - 1)
        chances[frame, label] = chance
    return np.log(chances).astype(np.float32)


def made(duration: float = 2.0, entities: tuple[str, ...] = ("Kiev", "Kow", EVIL), **changed: Any) -> Explanation:
    frames = round(duration / STEP)
    attention = np.zeros((frames, len(entities) + 1), np.float32)
    attention[:, 0] = 1.0
    attention[10:14] = attention[20] = 0.0
    attention[10:14, 2], attention[11, 2], attention[20, 3], attention[20, 1] = 0.6, 0.9, 0.3, 0.05
    values: dict[str, Any] = {
        "transcript": transcript(("the", 0.1, 0.2), ("Kow", 0.4, 0.56), listed=("Kow",)),
        "plain": transcript(("the", 0.1, 0.2), ("cow", 0.4, 0.52)),
        "spectrogram": np.random.default_rng(0).standard_normal((round(duration * 100) + 1, 8)).astype(np.float32),
        "entities": entities,
        "attention": attention,
        "log_probs": posteriors(frames, (10, 2, 0.7), (30, 1, 0.5)),
        "base_log_probs": posteriors(frames, (10, 1, 0.6), (30, 1, 0.4)),
        "labels": LABELS,
        "seconds_per_frame": STEP,
        "duration": duration,
    }
    return Explanation(**values | changed)


class Elements(HTMLParser):
    """Every element with its attributes, and every text with the element it stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.elements[-1][0] if self.elements else "", data))


def data_of(html: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(re.findall(r'id="data">(.*?)</script>', html)[0])
    return found


# --- the explanation ---


def test_the_summary_agrees_with_the_arrays() -> None:
    one = made()
    row = one.to_json()
    assert one.attention is not None
    assert [entity["entity"] for entity in row["attention"]["entities"]] == ["Kow", EVIL, "Kiev"], "largest first"
    first = row["attention"]["entities"][0]
    assert (first["largest"], first["time"], first["frames"]) == (0.9, 0.44, [[10, 13]])
    assert first["share"] == pytest.approx(one.attention[:, 2].mean(), abs=1e-4)
    assert row["attention"]["no_bias"] == pytest.approx(one.attention[:, 0].mean(), abs=1e-4)
    assert row["attention"]["entities"][2]["frames"] == [], "never above the threshold"
    assert [word["entity"] for word in row["words"]] == [None, "Kow"]
    change, smaller = row["changes"]
    assert (change["label"], change["was"], change["time"], change["entity"]) == ("▁kow", "▁cow", 0.4, "Kow")
    assert [change[name] for name in ("before", "after", "was_before", "was_after")] == [0.1, 0.7, 0.6, 0.075]
    assert (smaller["frame"], smaller["label"], smaller["was"], smaller["entity"]) == (30, "▁cow", "▁cow", None)
    assert json.loads(json.dumps(row)) == row


def test_the_summary_is_small_whatever_is_listed() -> None:
    entities = tuple(f"name {k}" for k in range(10_000))
    weights = np.random.default_rng(0).random((500, 10_001)).astype(np.float32)
    weights[:, 3] = 1 + np.arange(500)
    one = made(20.0, entities, attention=weights / weights.sum(1, keepdims=True), log_probs=posteriors(
        500, *((t, 1, 0.5) for t in range(0, 500, 3))), base_log_probs=posteriors(500))  # fmt: skip
    row = one.to_json()
    assert [e["entity"] for e in row["attention"]["entities"]] == ["name 2"], "the rest is below the least weight"
    assert len(row["changes"]) == CHANGES and len(json.dumps(row)) < 20_000


def test_without_an_adapter_there_is_no_attention_and_no_change() -> None:
    one = made(attention=None, base_log_probs=made().log_probs)
    row = one.to_json()
    assert not one.adapted and row["attention"] is None and row["changes"] == [] and one.attended(10) is None
    html = page(one)
    assert (
        "No contextual adapter was at work" in html
        and "&lt;no-bias&gt;" not in html
        and "What the adapter changed" not in html
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"attention": np.zeros((50, 3), np.float32)}, r"is \(50, 3\), but 50 frames and 3 entities need \(50, 4\)"),
        ({"attention": np.ones((50, 4), np.float32)}, "add up to at most 1"),
        ({"attention": np.full((50, 4), -0.1, np.float32)}, "0 or more"),
        ({"base_log_probs": posteriors(49)}, r"log_probs is \(50, 5\) but base_log_probs \(49, 5\)"),
        ({"listed": 2}, "listed is 2, fewer than the 3 entities"),
        ({"labels": LABELS[:4]}, "4 labels but log_probs has 5"),
        ({"log_probs": np.exp(posteriors(50))}, "logarithms of probabilities are 0 or less"),
        ({"log_probs": np.full((50, 5), np.nan, np.float32)}, "log_probs has values that are NaN"),
        ({"spectrogram": np.full((200, 8), -np.inf, np.float32)}, "spectrogram has values"),
        ({"spectrogram": np.zeros(200, np.float32)}, r"spectrogram has shape \(200,\)"),
        ({"log_probs": [[0.0]]}, "log_probs is list"),
        ({"seconds_per_frame": 0.0}, "seconds_per_frame is 0.0"),
        ({"seconds_per_frame": 0.08}, "50 frames of 0.08 s, 4.00 s in all, but the audio is 2.00 s long"),
        ({"duration": -1.0}, "duration is -1.0"),
        ({"duration": float("nan")}, "duration is nan"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(ExplanationError, match=says):
        replace(made(), **changed)


def test_minus_infinity_is_a_probability_of_nothing() -> None:
    log_probs = posteriors(50)
    log_probs[10] = [-np.inf, 0.0, -np.inf, -np.inf, -np.inf]
    (change,) = made(log_probs=log_probs, base_log_probs=posteriors(50)).changes()
    assert (change.frame, change.label, change.after, change.was_after) == (10, 1, 1.0, 0.0)


# --- the page ---


def test_words_and_rows_stand_at_their_times() -> None:
    html = page(made())
    bars = [
        (title.split(":")[0], float(x), float(width))
        for title, x, width in re.findall(
            r'<g class="word.*?<title>(.*?)</title>.*?<rect x="(.*?)" .*?width="(.*?)"', html
        )
    ]
    assert bars == [("the", LEFT + 10, 10.0), ("Kow", LEFT + 40, 16.0), ("cow", LEFT + 40, 12.0)], "with, then without"
    ticks = re.findall(r'<text class="time" x="(.*?)" .*?>(\d+) s<', html)
    assert [(float(x), int(second)) for x, second in ticks] == [(LEFT + SCALE * s, s) for s in range(3)]
    images = re.findall(r'<image class="(\w+)" x="(.*?)" y=".*?" width="(.*?)"', html)
    assert {(float(x), float(width)) for kind, x, width in images if kind == "heat"} == {(LEFT, 200.0)}
    assert re.findall(r'class="taken" x="(.*?)" .*?width="(.*?)"', html) == [("210.0", "16.0")]
    names = re.findall(r'<text class="name".*?<title>(.*?)</title>', html)
    assert names[:4] == ["with list", "without list", "&lt;no-bias&gt;", "Kow"] and names[-1] == "spectrogram"


def test_the_pages_data_are_the_arrays() -> None:
    one = made()
    data = data_of(page(one))
    (strip,) = data["strips"]
    rows = {row["name"]: row["weights"] for row in strip["rows"]}
    assert one.attention is not None and list(rows) == ["<no-bias>", "Kow", EVIL, "Kiev", "change by adapter"]
    for name, column in (("<no-bias>", 0), ("Kiev", 1), ("Kow", 2), (EVIL, 3)):
        np.testing.assert_allclose(np.array(rows[name]) / 1000, one.attention[:, column], atol=6e-4)
    assert rows["change by adapter"][10] == 600 and rows["change by adapter"][0] == 0
    assert strip["best"][10] == [2, 700] and strip["was"][10] == [1, 600] and data["summary"] == one.to_json()


def test_no_text_becomes_markup() -> None:
    names = (EVIL, "b", "c")
    with_list, plain = transcript((EVIL, 0.4, 0.56), listed=(EVIL,)), transcript((EVIL + "x", 0, 1))
    one = made(2.0, names, transcript=with_list, plain=plain, log_probs=posteriors(50, (10, 4, 0.9)))
    html = page(one, PageOptions(title=EVIL + "@DATA@"))
    read = Elements(html)
    assert not [
        attributes for tag, attributes in read.elements if tag == "img" or any(a.startswith("on") for a in attributes)
    ]
    assert html.count("</script>") == 2, "the data's and the script's"
    shown = [text for tag, text in read.texts if tag == "title"]
    assert shown[0] == EVIL + "@DATA@" and any(text.startswith(EVIL + ": 0.40-0.56 s") for text in shown)
    assert EVIL in {row["name"] for row in data_of(html)["strips"][0]["rows"]}
    for _, attributes in read.elements:  # nothing is fetched
        for name in ("src", "href", "xlink:href"):
            assert str(attributes.get(name) or "data:").startswith("data:")


def test_the_readings_mark_what_differs() -> None:
    one = transcript(("in", 0, 0.1), ("New York", 0.2, 0.5), ("now", 0.6, 0.8), listed=("New York",))
    other = transcript(("in", 0, 0.1), ("new", 0.2, 0.3), ("yolk", 0.3, 0.5), ("now", 0.6, 0.8))
    assert differences(one, other) == (frozenset({1}), frozenset({2}))
    assert differences(one, one) == (frozenset(), frozenset()) == differences(transcript(), transcript())
    assert differences(transcript(), one) == (frozenset(), frozenset({0, 1, 2}))
    html = page(made(transcript=one, plain=other))
    assert (
        '<dd>in <ins><b class="listed">New York</b></ins> now</dd>' in html and "<dd>in new <del>yolk</del> now" in html
    )
    assert "<dd>(no words)</dd>" in page(made(transcript=transcript(), plain=transcript()))


def test_changes_and_entities_are_listed() -> None:
    html = page(made())
    text = re.sub(r"<[^>]*>", "|", html)
    assert re.search(r"0\.40 s\|+'▁kow'\|+0\.10 → 0\.70\|+'▁cow'\|+0\.60 → 0\.07\|+Kow\|* 0\.60", text)
    assert re.search(r"1\.20 s\|+'▁cow'\|+0\.40 → 0\.50\|+the same", text)
    assert re.search(r"Kow\|+0\.90\|+0\.44 s\|+[\d.]+ %\|+0\.40–0\.56 s\|+yes", text)


def test_long_recordings_are_drawn_in_strips_each_with_its_own_entities() -> None:
    frames, count = 1000, 40
    attention = np.zeros((frames, count + 1), np.float32)
    attention[np.arange(frames), 1 + np.arange(frames) // 25] = 0.5  # each entity for a second
    words = [(f"w{second}", second + 0.2, second + 0.9) for second in range(40)]
    one = made(40.0, tuple(f"e{k}" for k in range(count)), attention=attention, log_probs=posteriors(frames),
               base_log_probs=posteriors(frames), transcript=transcript(*words, duration=40.0))  # fmt: skip
    one.spectrogram[800:840] = -9.0  # the pause to cut in
    strips = cut(one, 0, frames)
    assert strips[0][0] == 0 and strips[-1][1] == frames and all(a[1] == b[0] for a, b in itertools.pairwise(strips))
    assert all(SHORTEST - STEP <= (b - a) * STEP <= LONGEST + STEP for a, b in strips[:-1])
    assert 8.0 < strips[0][1] * STEP < 8.4
    html = page(one)
    data = data_of(html)
    assert [strip["first"] for strip in data["strips"]] == [a for a, _ in strips]
    for (a, b), strip in zip(strips, data["strips"], strict=True):
        names = [row["name"] for row in strip["rows"]][1:]
        assert names == [f"e{k}" for k in range(a // 25, (b - 1) // 25 + 1)][:ENTITIES]
    titles = set(re.findall(r"<title>(w\d+):", html))
    assert titles == {word for word, _, _ in words}, "every word there"
    assert "Of 40 entities each strip shows those 12" in html


def test_what_is_left_out_of_a_long_recording_is_said() -> None:
    one = made(400.0)
    html = page(one)
    assert "Drawn: 0.00 to 300.00 s of 400.00 s" in html and len(html) < 6_000_000
    assert window(one, PageOptions(start=350.0)) == (8750, 10_000)
    assert window(one, PageOptions(start=1.0, end=2.0)) == (25, 50)
    part = page(one, PageOptions(start=0.4, end=1.0))
    assert len(data_of(part)["strips"][0]["best"]) == 15 and "Drawn: 0.40 to 1.00 s" in part
    with pytest.raises(ValueError, match=r"start is 500 s but the audio ends at 400\.00 s"):
        window(one, PageOptions(start=500.0))
    for start, end in ((-1.0, 2.0), (2.0, 1.0), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match="nothing to draw"):
            PageOptions(start=start, end=end)


def test_a_picture_is_png() -> None:
    levels = quantised(np.array([[0.0, 1.0, 2.0], [0.5, -1.0, 0.25]], np.float32), 5)
    assert levels.tolist() == [[0, 4, 4], [2, 0, 1]]
    data = png(levels, ramp(13, 148, 136, 5))
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    assert data[:8] == base64.b64decode("iVBORw0KGgo=") and list(chunks) == [
        b"IHDR",
        b"PLTE",
        b"tRNS",
        b"IDAT",
        b"IEND",
    ]
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (3, 2) and chunks[b"tRNS"] == bytes([0, 64, 128, 191, 255])
    assert zlib.decompress(chunks[b"IDAT"]) == bytes([0, 0, 4, 4, 0, 2, 0, 1])


# --- the command ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained model, a list and half a second of noise."""
    folder = tmp_path_factory.mktemp("explain")
    torch.manual_seed(0)
    config = EncoderConfig(
        vocabulary=29, dim=16, layers=2, heads=2, kernel=3, subword_layers=(1,), phone_layer=1, stem_channels=4
    )
    save_model(Model(config, Vocabulary.from_characters(" 'abcdefghijklmnopqrstuvwxyz")), folder / "model")
    (folder / "names.txt").write_text("kiev\nКиїв\n")
    wave = np.random.default_rng(0).standard_normal(8_000) * 0.1
    soundfile.write(folder / "a.wav", wave.astype(np.float32), 16_000)
    return folder


def arguments(folder: Path, *more: str) -> list[str]:
    return [
        "explain",
        str(folder / "a.wav"),
        "--entities",
        str(folder / "names.txt"),
        "--model",
        str(folder / "model"),
        *more,
    ]


def test_the_command_writes_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = folder / "out" / "a.html"
    assert main(arguments(folder, "-o", str(output), "--json")) == 0
    printed = capsys.readouterr()
    row, html = json.loads(printed.out), output.read_text(encoding="utf-8")
    assert row["words"] and row["audio"].endswith("a.wav") and row["duration"] == 0.5 and row["listed"] == 2
    assert "Київ" in printed.err and printed.err.count("\n") == 1, "what is not used is said"
    assert "<h1>a.wav: what the list did</h1>" in html and "0.50 s of audio" in html
    assert {word["text"] for word in row["words"]} == set(
        re.findall(r"<title>(\S+): [\d.]+-", html.split("without list")[0])
    )
    assert not list(output.parent.glob("*.part"))


def test_the_page_is_page_html_by_default(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments(folder, "--from", "0.2", "--to", "0.4")) == 0
    assert "Drawn: 0.20 to 0.40 s" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--entities", "nonesuch.txt"), "nonesuch.txt"),
        (("--model", "nonesuch"), "There is no model 'nonesuch'"),
        (("-o", "."), "is a folder"),
        (("-o", "{folder}/a.wav"), "is the recording or the list"),
        (("--from", "7"), "the audio ends at 0.50 s"),
        (("--from", "2", "--to", "1"), "nothing to draw"),
        (("--no-lm", "--lm", "x.arpa"), "contradict each other"),
        (("--bias", "3"), "bias is 3"),
    ],
)
def test_bad_arguments_are_one_sentence(
    folder: Path, more: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    names = tmp_path / "names.txt"
    names.write_text("kiev\n")
    given = [one.format(folder=folder) for one in ("--entities", str(names), *more)]
    assert main(arguments(folder, *given)) == 2
    error = capsys.readouterr().err
    assert says in error and error.startswith("asrbias explain: ") and error.count("\n") == 1
    assert not (tmp_path / "page.html").exists() and (folder / "a.wav").stat().st_size > 1000


@pytest.fixture(scope="module")
def adapted(folder: Path) -> Recognizer:
    """The tiny model with an untrained adapter that changes much, however little it attends to what is listed."""
    model = load_model(folder / "model")
    torch.manual_seed(1)
    model.adapter = ContextualAdapter(AdapterConfig.of(model.encoder.config, dim=8, heads=2)).eval()
    with torch.no_grad():
        model.adapter.out.weight.normal_()
    return Recognizer(model, decode=JointOptions(adapter=AdapterOptions(shortlist=2, strength=100.0, caution=-12.0)))


def test_the_adapters_attention_and_posteriors_are_those_decoded(adapted: Recognizer, folder: Path) -> None:
    listed = EntityList(["kiev", "lviv", Entity("odesa", display="Odesa")])
    one = explain(adapted, folder / "a.wav", listed)
    assert one.attention is not None and one.adapted and set(one.entities) < {"kiev", "lviv", "Odesa"}
    assert one.attention.sum(1) == pytest.approx(np.ones(len(one.log_probs)), abs=1e-4) and one.listed == 3
    assert one.transcript == adapted.transcribe(folder / "a.wav", listed)
    assert one.plain == adapted.transcribe(folder / "a.wav") and one.plain != one.transcript
    (heard,) = adapted.posteriors([adapted.samples(folder / "a.wav")])
    np.testing.assert_array_equal(one.base_log_probs, heard.log_probs)
    (told,) = adapted.adapt([heard], [listed])
    assert told is not None and one.entities == tuple(listed[k].shown for k in told.entities)
    np.testing.assert_array_equal(one.log_probs, told.log_probs)
    np.testing.assert_array_equal(one.attention, told.attention)
    html = page(one)
    assert "Of 3 entities the adapter attended to 2" in html and "change by adapter" in html


@pytest.mark.parametrize("entities", [[], None])
def test_without_a_list_nothing_is_adapted(adapted: Recognizer, folder: Path, entities: list[str] | None) -> None:
    one = explain(adapted, folder / "a.wav", entities)
    assert one.attention is None and not one.adapted and one.transcript == one.plain and one.listed == 0
    assert page(one)


def test_at_dial_0_nothing_is_adapted(adapted: Recognizer, folder: Path) -> None:
    off = JointOptions(decode=DecodeOptions(bias=0.0), adapter=AdapterOptions())
    one = explain(Recognizer(adapted.model, decode=off), folder / "a.wav", ["kiev"])
    assert one.attention is None and one.entities == ("kiev",) and one.transcript == one.plain


HOVER = """<script>
const strip = document.querySelector("svg.strip");
const box = strip.getBoundingClientRect();
const kow = data.strips[0].rows.find((row) => row.name === "Kow");
function point(x, y) {
  strip.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + x, clientY: box.top + y }));
}
point(data.left + 45, kow.y + 5); console.log("SEEN " + under.textContent);
point(data.left - 5, kow.y + 5); console.log("SEEN " + strip.querySelector(".cursor").getAttribute("visibility"));
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_page_in_chromium(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        page(replace(made(), labels=("_", "cow", "kow", "a", "b"))).replace("</body>", HOVER)
    )
    chromium = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
         "--virtual-time-budget=2000", f"--user-data-dir={tmp_path / 'profile'}", str(tmp_path / "page.html")],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    console = re.findall(r'CONSOLE.*?\] "(.*?)", source', chromium.stderr)
    assert console == ["SEEN 0.44 s · Kow 0.900 · best label blank 0.96, without adapter blank 0.96", "SEEN hidden"]
