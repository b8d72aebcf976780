"""`asrbias ablate`: which settings there are, what is decoded and kept, what is compared, what it writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asrbias.ablation import GAIN, ablate, make_rows
from asrbias.ablation_plot import plot
from asrbias.ablation_report import cells, markdown, page, to_dict
from asrbias.ablation_runs import Condition, Corpus, Encoded, Runs
from asrbias.ablation_settings import ALL, NONE, NOTHING, Setting, make_settings, only, usable
from asrbias.adapting import AdapterOptions
from asrbias.cli import main
from asrbias.decode_options import DecodeOptions
from asrbias.evidence_options import EvidenceOptions
from asrbias.hypothesis import Hypothesis, Word
from asrbias.joint_options import JointOptions
from asrbias.manifest import ManifestError
from asrbias.rescoring import RescoreOptions
from asrbias.score import score
from asrbias.significance import BootstrapOptions, compare
from asrbias.techniques import (
    ADAPTIVE,
    BONUS,
    GUARD,
    LM,
    RESCORING,
    TECHNIQUES,
    UNIGRAM,
    VARIANTS,
    Setup,
    TechniqueError,
    all_off,
    find_technique,
    uses_list,
)
from asrbias.variants import VariantOptions

DEMO = Path(__file__).parents[1] / "recipes" / "starter" / "demo"
FULL = Setup(
    options=JointOptions(
        decode=DecodeOptions(bonus=0.7, adaptive=0.3, unigram=0.9, beam=8),
        rescore=RescoreOptions(weight=0.2),
        lookup=EvidenceOptions(threshold=3.0),
        adapter=AdapterOptions(shortlist=50),
    ),
    lm=True,
)
FAST = BootstrapOptions(resamples=200)


def settings(full: Setup = FULL, **given: Any) -> dict[str, Setting]:
    made = make_settings(full, usable(full, lm=full.lm, phones=True, adapter=True), **given)
    return {one.name: one for one in made}


# --- techniques ---


@pytest.mark.parametrize("name", list(TECHNIQUES))
def test_each_can_be_switched_off_and_on_without_touching_the_others(name: str) -> None:
    decode = replace(FULL.options.decode, guard_character=2.0)
    options = replace(FULL.options, decode=decode, variants=VariantOptions(spellings=7), verify=FULL.options.lookup)
    full = replace(FULL, options=options)
    off = TECHNIQUES[name].off(full)
    assert not TECHNIQUES[name].is_on(off)
    assert [one.name for one in TECHNIQUES.values() if one.is_on(off)] == [n for n in TECHNIQUES if n != name]
    assert TECHNIQUES[name].on(off, full) == full
    assert TECHNIQUES[name].is_on(TECHNIQUES[name].on(off, all_off(full)))  # as it usually is, where `like` has none


def test_what_uses_a_list() -> None:
    none = all_off(FULL, but=[LM, RESCORING])
    assert not uses_list(none)
    assert uses_list(TECHNIQUES[BONUS].on(none, FULL))
    assert not uses_list(TECHNIQUES[VARIANTS].on(none, FULL))  # of nothing that is looked for
    assert not uses_list(all_off(FULL, but=[UNIGRAM])) and uses_list(all_off(FULL, but=[UNIGRAM, LM]))


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(TechniqueError, match=r"no technique 'boosting'; choose one of language model, contextual"):
        find_technique("boosting")


# --- settings ---


def test_rows_of_the_table() -> None:
    found = settings()
    assert list(found) == [
        NOTHING, NONE, "contextual adapter alone",
        "phrase bonus alone", "adaptive boosting alone", "unigram boosting alone",
        "phonetic rescoring alone", "phonetic rescoring on phrase bonus", "pronunciation lookup alone",
        "pronunciation lookup, exact rule alone", "G2G variants on phrase bonus",
        "G2G variants on pronunciation lookup", "verification on phrase bonus",
        "guard on phrase bonus", ALL,
        "all but language model", "all but contextual adapter",
        "all but phrase bonus", "all but adaptive boosting", "all but unigram boosting",
        "all but phonetic rescoring", "all but pronunciation lookup", "all and G2G variants", "all and verification",
        "all and guard",
    ]  # fmt: skip
    assert found[ALL].setup == FULL
    assert found[NONE].setup == all_off(FULL, but=[LM]) and found[NOTHING].setup == all_off(FULL)
    assert found["adaptive boosting alone"].setup == all_off(FULL, but=[LM, ADAPTIVE])
    assert found["all but unigram boosting"].setup == TECHNIQUES[UNIGRAM].off(FULL)
    assert found["all and G2G variants"].setup.options.variants == VariantOptions()  # off in all: as it usually is
    assert found["all and verification"].setup.options.verify == FULL.options.lookup  # they weigh alike
    assert found["pronunciation lookup, exact rule alone"].setup.options.lookup == "exact"
    on_bonus = found["G2G variants on phrase bonus"]
    assert on_bonus.base == "phrase bonus alone" and on_bonus.setup.options.decode.bonus == 0.7
    assert all(one.base in found for one in found.values() if one.base is not None)


def test_strength_alone_may_differ_from_that_in_all() -> None:
    strong = replace(FULL, options=replace(FULL.options, decode=DecodeOptions(bonus=2.5)))
    found = settings(alone={BONUS: strong})
    assert found["phrase bonus alone"].setup.options.decode.bonus == 2.5
    assert found["phrase bonus alone"].setup.options.decode.beam == 8  # only the technique's own field
    assert found[ALL].setup.options.decode.bonus == 0.7


def test_rows_about_some_techniques_and_what_they_are_compared_with() -> None:
    made = list(settings().values())
    assert [one.name for one in only(made, [])] == [NOTHING, NONE, ALL]
    assert [one.name for one in only(made, [VARIANTS])] == [
        NOTHING, NONE, "phrase bonus alone", "pronunciation lookup alone", "G2G variants on phrase bonus",
        "G2G variants on pronunciation lookup", ALL, "all and G2G variants",
    ]  # fmt: skip
    with pytest.raises(TechniqueError):
        only(made, ["boosting"])


def test_without_language_model_or_phone_head_their_techniques_have_no_rows() -> None:
    full = replace(FULL, lm=False)
    names = {one.name for one in usable(full, lm=False, phones=False)}
    assert names == {BONUS, ADAPTIVE, VARIANTS, GUARD}
    made = make_settings(full, usable(full, lm=False, phones=False))
    assert made[0].name == NONE and made[0].base is None
    assert all(not one.setup.lm and one.setup.options.rescore is None and not one.setup.options.sounds for one in made)
    assert not any("pronunciation" in one.name for one in made)


# --- what is decoded and kept ---


def hypothesis(text: str) -> Hypothesis:
    words = tuple(Word(text=word, start=k, end=k + 1, confidence=1.0) for k, word in enumerate(text.split()))
    return Hypothesis(text=text, tokens=(), score=0.0, acoustic=0.0, bias=0.0, lm=0.0, words=words, frames=())


@dataclass
class Machine:
    """A stand-in for model and decoder: the bonus brings Kyiv, adaptive boosting a false Lvov."""

    encoded: int = 0
    decoded: list[tuple[Setup, int]] = field(default_factory=list)

    def encode(self) -> list[Encoded]:
        self.encoded += 1
        return [Encoded(np.full((1, 1), number, np.float32), None, 2.0) for number in range(3)]

    def decoder(self, setup: Setup) -> Any:
        machine = self

        class Decoder:
            def decode_batch(
                self, log_probs: Sequence[Any], sounds: Any, entities: Any, threads: Any = None, adapted: Any = None
            ) -> list[list[Hypothesis]]:
                machine.decoded.append((setup, len(entities[0] or ())))
                texts = {0: "we saw keev", 1: "she came home", 2: "from keev we go"}
                found = [texts[int(x[0, 0])] for x in log_probs]
                if setup.options.decode.bonus and entities[0]:
                    found = [text.replace("keev", "kyiv") if "Kyiv" in map(str, map(shown, listed)) else text
                             for text, listed in zip(found, entities, strict=True)]  # fmt: skip
                if setup.options.decode.adaptive and entities[0]:
                    found = [text.replace("home", "lvov") for text in found]
                return [[hypothesis(text)] for text in found]

        return Decoder()


def shown(entity: Any) -> str:
    return str(entity.phrase)


def corpus(folder: Path) -> Corpus:
    lines = [
        {"id": "a", "audio": "a.wav", "text": "We saw Kyiv.", "entities": ["Kyiv"]},
        {"id": "b", "audio": "b.wav", "text": "she came home"},
        {"id": "c", "audio": "c.wav", "text": "from Kyiv we go", "entities": ["Kyiv"]},
    ]
    for name in "abc":
        (folder / f"{name}.wav").write_bytes(b"")
    (folder / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "names.txt").write_text("Lvov\nOdessa\n")
    return Corpus.read(folder / "in.jsonl", folder / "names.txt", 2)


def small() -> list[Setting]:
    full = Setup(options=JointOptions(decode=DecodeOptions(bonus=1.0, adaptive=0.5)), lm=False)
    return make_settings(full, usable(full, lm=False, phones=False))


def test_lists_of_an_utterance(tmp_path: Path) -> None:
    made = corpus(tmp_path)
    own = [[entity.phrase for entity in one] for one in made.lists(Condition(count=1))]
    assert own == [["Kyiv", "Lvov"], ["Lvov"], ["Kyiv", "Lvov"]]
    alone = list(made.lists(Condition(count=2, own=False)))
    assert [entity.phrase for entity in alone[0]] == ["Lvov", "Odessa"] and alone[0] is alone[2]


def test_recordings_are_encoded_once_and_finished_settings_not_decoded_again(tmp_path: Path) -> None:
    made, machine = corpus(tmp_path), Machine()

    def runs(program: str = "1") -> Runs:
        return Runs(
            tmp_path / "out", made, encode=machine.encode, decoder=machine.decoder, made_from=[program], frame=0.04
        )

    conditions = [Condition(count=1), Condition(count=2), Condition(count=2, own=False)]
    first = ablate(runs(), small(), conditions, bootstrap=FAST)
    assert machine.encoded == 1
    listless = [setup for setup, size in machine.decoded if not size]
    assert len(listless) == 1  # "none" needs no list: decoded once for all of them
    count = len(machine.decoded)
    assert ablate(runs(), small(), conditions, bootstrap=FAST) == first
    assert machine.encoded == 1 and len(machine.decoded) == count
    ablate(runs(), small(), [Condition(count=0)], bootstrap=FAST)  # another list: only that is decoded
    assert machine.encoded == 2 and len(machine.decoded) > count
    count = len(machine.decoded)
    ablate(runs("2"), small(), [Condition(count=0)], bootstrap=FAST)  # another program: decoded again
    assert len(machine.decoded) > count


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    made, machine = corpus(tmp_path), Machine()
    runs = Runs(tmp_path / "out", made, encode=machine.encode, decoder=machine.decoder, made_from=[], frame=0.04)

    def stop(setting: Setting, condition: Condition) -> None:
        if setting.name == ALL:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ablate(runs, small(), [Condition(count=1)], bootstrap=FAST, progress=stop)
    before = len(machine.decoded)
    ablate(runs, small(), [Condition(count=1)], bootstrap=FAST)
    again = {json.dumps(setup.options.to_json()) for setup, _ in machine.decoded[before:]}
    assert before and not again & {json.dumps(setup.options.to_json()) for setup, _ in machine.decoded[:before]}


# --- what is compared ---


def test_rates_and_differences(tmp_path: Path) -> None:
    made, machine = corpus(tmp_path), Machine()
    runs = Runs(tmp_path / "out", made, encode=machine.encode, decoder=machine.decoder, made_from=[], frame=0.04)
    found = ablate(runs, small(), [Condition(count=2), Condition(count=2, own=False)], bootstrap=FAST)
    assert (found.utterances, found.words, found.entities) == (3, 10, 2)
    own = {row.setting.name: row for row in found.tables[0].rows}
    assert own[NONE].rates["wer"].value == pytest.approx(20.0) and own[NONE].rates["f1"].value == 0.0
    assert own["phrase bonus alone"].rates["wer"].value == 0.0 and own["phrase bonus alone"].rates["f1"].value == 100.0
    assert own[ALL].rates["f1"].value == pytest.approx(80.0)  # two found, one false: 2 * 2 / (2 * 2 + 0 + 1)
    assert own[ALL].rates["false_hits_per_1000_words"].value == pytest.approx(100.0)
    assert own[ALL].against[NONE]["f1"].value == pytest.approx(80.0)
    assert own["all but adaptive boosting"].against[ALL]["f1"].value == pytest.approx(20.0)
    assert own[ALL].rates[GAIN].value is None  # nothing can be said relative to an F1 of 0
    alone = {row.setting.name: row for row in found.tables[1].rows}
    assert alone[ALL].rates["wer"].value == pytest.approx(30.0)
    assert alone[ALL].against[NONE]["wer"].value == pytest.approx(10.0)


def test_intervals_are_those_of_asrbias_score() -> None:
    references = ["call kyiv now", "from lvov", "to kyiv and lvov", "we go home"]
    first = score(
        references, ["call kyiv now", "from love", "to kyiv and lvov", "we go home"], entities=["kyiv", "lvov"]
    )
    second = score(references, ["call keev now", "from lvov", "to kyiv and love", "we kyiv"], entities=["kyiv", "lvov"])
    rows = make_rows([replace(small()[0], name=NONE), replace(small()[1], name=ALL)], [second, first], FAST)
    expected = {one.metric: one for one in compare(first.utterances, second.utterances, FAST)[2]}
    for metric in ("wer", "f1", "recall"):
        found = rows[1].against[NONE][metric]
        assert found.value == pytest.approx(expected[metric].difference)
        assert (found.low, found.high) == pytest.approx((expected[metric].interval.low, expected[metric].interval.high))
    gain = rows[1].rates[GAIN].value
    assert gain == pytest.approx(100 * (rows[1].rates["f1"].value / rows[0].rates["f1"].value - 1))  # type: ignore[operator]


# --- what is written ---


def test_reports_show_every_setting_and_escape_names(tmp_path: Path) -> None:
    made, machine = corpus(tmp_path), Machine()
    runs = Runs(tmp_path / "out", made, encode=machine.encode, decoder=machine.decoder, made_from=[], frame=0.04)
    about = {"model": "<b>mine</b>"}
    found = ablate(runs, small(), [Condition(count=2), Condition(count=2, own=False)], bootstrap=FAST, about=about)
    text = markdown(found)
    first = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert [first.count(setting.name) for setting in small()] == [2] * len(small())
    widths = {len(line) for line in text.split("## ")[1].splitlines() if line.startswith("|")}
    assert len(widths) == 1  # readable as it is
    assert "G2G variants on phrase bonus against phrase bonus alone: F1 +0.0 (+0.0 to +0.0), WER +0.00" in text
    html = page(found)
    assert "&lt;b&gt;mine" in html and "<b>mine" not in html and "<svg" in html
    assert plot(found).count("<circle") == 3 * len(small()) + 2  # F1 for one kind of list, WER for both, the legend
    assert "F1" not in " ".join(cells(found.tables[1])[0])  # nothing is there to be found
    content = json.loads(json.dumps(to_dict(found)))
    assert [row["setting"] for row in content["tables"][0]["rows"]] == [one.name for one in small()]
    assert "Infinity" not in json.dumps(content)
    assert JointOptions.from_json(content["tables"][0]["rows"][-1]["options"]) == small()[-1].setup.options


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"audio": "a.wav"}, "in.jsonl:1 has no `text`"),
        ({"audio": "a.wav", "text": "hello", "entities": "Kyiv"}, "`entities` is 'Kyiv'"),
        ({"audio": "a.wav", "text": "hello"}, "no line has `entities`"),
        (
            {"audio": "a.wav", "text": "hello", "entities": ["Kyiv"]},
            "2 distractors are asked for, but .*names.txt has 1",
        ),
    ],
)
def test_a_manifest_that_cannot_be_used(tmp_path: Path, line: dict[str, Any], says: str) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps(line))
    (tmp_path / "names.txt").write_text("Lvov\n")
    with pytest.raises(ManifestError, match=says):
        Corpus.read(tmp_path / "in.jsonl", tmp_path / "names.txt", 2)


def test_command_on_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.loads(line) for line in (DEMO / "demo.jsonl").read_text().splitlines()][:2]
    lines = [{"id": r["id"], "audio": str(DEMO / r["audio"]), "text": r["text"], "entities": r["spoken"]} for r in rows]
    manifest, names = tmp_path / "in.jsonl", tmp_path / "names.txt"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    names.write_text("Heidelberg\nBratislava\nAntwerp\n")
    alone = tmp_path / "alone.json"
    alone.write_text(json.dumps({"phrase bonus": {"bonus": 4.0}}))
    given = [
        "ablate",
        str(manifest),
        "--distractors",
        str(names),
        "--output",
        str(tmp_path / "out"),
        "--resamples",
        "200",
    ]
    given += ["--sizes", "2", "--distractors-only", "3", "--alone", str(alone), "--threads", "1"]
    assert main([*given, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    own = {row["setting"]: row for row in content["tables"][0]["rows"]}
    assert own["phrase bonus alone"]["options"]["decode"]["bonus"] == 4.0
    assert own["phrase bonus alone"]["rates"]["f1"]["value"] > own["none"]["rates"]["f1"]["value"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "hypotheses", "ablation.json", "ablation.md", "ablation.html", "ablation.svg"
    }  # fmt: skip
    assert main(given) == 0
    out, err = capsys.readouterr()
    assert out == (tmp_path / "out" / "ablation.md").read_text() and "encoding" not in err  # all was there


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--sizes", "-1"], "-1 is no number of distractors"),
        (["--lm", "x.arpa", "--no-lm"], "--no-lm and --lm contradict each other"),
        (["--alone", "bad.json"], "no technique 'boosting'"),
        (["--options", "none.json"], "none.json"),
        (["--options", "list.json"], "not a JSON object"),
        (["--resamples", "7"], "7 resamples give no interval"),
    ],
)
def test_bad_arguments_end_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    corpus(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text('{"boosting": {}}')
    Path("list.json").write_text("[]")
    sizes = [] if "--sizes" in more else ["--sizes", "1"]
    given = [
        "ablate",
        "in.jsonl",
        "--output",
        "out",
        "--distractors",
        "names.txt",
        "--distractors-only",
        "1",
        *sizes,
        *more,
    ]
    assert main(given) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1
