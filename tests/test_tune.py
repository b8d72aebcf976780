"""`asrbias tune`: what is found within the bounds, what the log keeps, what is written, and that `load` takes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from asrbias.ablation_runs import Condition, Corpus, Encoded
from asrbias.ablation_settings import usable
from asrbias.adapting import AdapterOptions
from asrbias.cli import main
from asrbias.decode_options import DecodeOptions
from asrbias.encoder import EncoderConfig
from asrbias.evidence_options import EvidenceOptions
from asrbias.joint import JointDecoder, JointOptions
from asrbias.loading import load
from asrbias.model import Model, ModelError, save_model
from asrbias.rescoring import RescoreOptions
from asrbias.techniques import Setup
from asrbias.tokens import Vocabulary
from asrbias.tune import Tuned, Tuner, neighbour
from asrbias.tune_evidence import NAMES as WEIGHTS
from asrbias.tune_evidence import Evidences, fit
from asrbias.tune_options import TuneError, TuneOptions, changes, evidence, first_options, paths
from asrbias.tune_steps import Case, Steps
from asrbias.tune_trials import Bounds, Figures, Own, Trial, TrialLog
from tests.toy_sounds import LABELS, letters, sounds

ONE = TuneOptions(sizes=(2,), alone=2, lists=1, false_hits=30.0, harm=5.0)
OFF = JointOptions(decode=DecodeOptions(bonus=0.5, unigram=0.0))
NAMES = "Healey Zurich Lisbon Madrid Warsaw Dublin Denver Boston Geneva Berlin".split()


def corpus(folder: Path, rows: Sequence[dict[str, Any]], names: Sequence[str] = ("Lvov", "Odessa")) -> Corpus:
    for row in rows:
        (folder / row["audio"]).write_bytes(b"")
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    return Corpus.read(folder / "in.jsonl", folder / "names.txt", len(names))


def ten(folder: Path) -> Corpus:
    rows = [
        {"id": str(n), "audio": f"{n}.wav", "text": f"we are in {name} on this fine day", "entities": [name]}
        for n, name in enumerate(NAMES)
    ]
    return corpus(folder, rows)


class Machine:
    """A stand-in for Steps: each step of the bonus finds a name more; above 1.5 it writes one that nobody said."""

    lm = False

    def __init__(self, corpus: Corpus, stop: int | None = None) -> None:
        self.corpus, self.all, self.calls, self.stop = corpus, range(len(corpus.lines)), 0, stop

    def texts(self, o: JointOptions, case: Case | None, only: Sequence[int] | None = None) -> list[str]:
        self.calls += 1
        if self.calls == self.stop:
            raise KeyboardInterrupt
        texts, bonus = [], o.decode.bonus if case is not None else 0.0
        for n in self.all if only is None else only:
            told = case is not None and case.condition.own
            name = NAMES[n] if told and n < 2 * bonus + 4 * o.decode.adaptive else "nowhere"
            day = "lvov" if bonus > 1.5 and n < 3 else "day"
            texts.append(f"we are in {name} on this fine {day}")
        return texts


def tune(machine: Machine, log: Path, o: TuneOptions = ONE, shown: list[Trial] | None = None) -> Tuned:
    kept = shown if shown is not None else []
    tuner = Tuner(machine, o, TrialLog(log, ["data"]), lambda trial, best: kept.append(trial))  # type: ignore[arg-type]
    return tuner.run(OFF, OFF)


# --- the search ---


def test_the_best_within_the_bounds_is_found(tmp_path: Path) -> None:
    found = tune(Machine(ten(tmp_path)), tmp_path / "log")
    assert found.best.options.decode.bonus == 1.5 and found.best.options.decode.adaptive == 0.8
    assert found.best.figures is not None and found.best.figures.own[0].recall == 70.0
    assert not found.stopped and found.start.options == OFF


def test_the_bounds_bind(tmp_path: Path) -> None:
    free = tune(Machine(ten(tmp_path)), tmp_path / "log", replace(ONE, false_hits=1000.0, harm=100.0))
    assert free.best.options.decode.bonus > 1.5
    hits = tune(Machine(ten(tmp_path)), tmp_path / "log2", replace(ONE, harm=100.0)).best.options
    harm = tune(Machine(ten(tmp_path)), tmp_path / "log3", replace(ONE, false_hits=1000.0, harm=1.0)).best.options
    assert hits.decode.bonus == harm.decode.bonus == 1.5  # either alone


def test_what_breaks_the_bounds_least_is_taken_where_nothing_meets_them() -> None:
    bounds = Bounds(false_hits=1.0, harm=0.3)

    def figures(f1: float, hits: float, wer: float = 10.0) -> Figures:
        own = Own(size=1, f1=f1, precision=f1, recall=f1, wer=9.0, false_hits=0.0)
        return Figures(wer=10.0, own=(own,), false_hits=hits, none=0.5, alone=wer)

    low, high, worse = figures(40.0, 1.5), figures(50.0, 1.5), figures(90.0, 3.0)
    assert sorted([worse, high, low], key=bounds.rank) == [worse, low, high]
    assert bounds.met(low) and not bounds.met(worse) and not bounds.met(figures(90.0, 0.5, wer=10.5))
    assert bounds.rank(figures(90.0, 4.0)) < bounds.rank(figures(10.0, 3.0))


def test_the_result_is_never_worse_than_the_start(tmp_path: Path) -> None:
    made = ten(tmp_path)
    best = replace(OFF, decode=replace(OFF.decode, bonus=1.5, adaptive=0.8))
    tuner = Tuner(Machine(made), ONE, TrialLog(tmp_path / "log", []))  # type: ignore[arg-type]
    found = tuner.run(best, replace(OFF, decode=replace(OFF.decode, bonus=4.0)))
    assert found.best is found.start


def test_a_run_that_was_killed_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    made, whole = ten(tmp_path), Machine(ten(tmp_path))
    expected = tune(whole, tmp_path / "whole")
    stopped = Machine(made, stop=whole.calls // 2)
    with pytest.raises(KeyboardInterrupt):
        tune(stopped, tmp_path / "log")
    with open(tmp_path / "log", "a") as file:
        file.write('{"key": "cut sh')
    again, shown = Machine(made), list[Trial]()
    found = tune(again, tmp_path / "log", shown=shown)
    assert again.calls < whole.calls and shown[0].again and not shown[-1].again
    assert (found.best.options, found.best.figures) == (expected.best.options, expected.best.figures)
    assert found.trials == expected.trials
    idle = Machine(made, stop=1)
    assert tune(idle, tmp_path / "log").best.figures == expected.best.figures and idle.calls == 0


def test_of_other_data_nothing_is_taken_from_the_log(tmp_path: Path) -> None:
    made = ten(tmp_path)
    tune(Machine(made), tmp_path / "log")
    log = TrialLog(tmp_path / "log", ["other data"])
    assert log.rows and log.find(log.key("whole", OFF), "start", "") is None


def test_no_more_is_tried_than_is_asked_for(tmp_path: Path) -> None:
    found = tune(Machine(ten(tmp_path)), tmp_path / "log", replace(ONE, trials=3))
    assert found.stopped and found.trials == 3 == len((tmp_path / "log").read_text().splitlines())
    more = tune(Machine(ten(tmp_path)), tmp_path / "log", replace(ONE, trials=5))  # those of before are counted
    assert more.trials == 5 == len((tmp_path / "log").read_text().splitlines())


def test_a_budget_that_is_spent_leaves_the_start(tmp_path: Path) -> None:
    tuner = Tuner(Machine(ten(tmp_path)), ONE, TrialLog(tmp_path / "log", []), deadline=0.0)  # type: ignore[arg-type]
    found = tuner.run(OFF, OFF)
    assert found.stopped and found.trials == 1 and found.best.options == OFF


def test_steps_of_a_grid() -> None:
    assert neighbour("decode.bonus", 1.3, True) == 1.5 and neighbour("decode.bonus", 1.3, False) == 1.0
    assert neighbour("decode.bonus", 4.0, True) is None and neighbour("decode.bonus", 0.0, False) is None
    assert neighbour("decode.guard_character", 4.0, True) == float("inf")


# --- what is tuned ---


def test_what_the_model_cannot_serve_is_left_out_and_said() -> None:
    own = JointOptions(decode=DecodeOptions(bonus=0.7, bias=1.7), lookup=EvidenceOptions(), adapter=AdapterOptions())
    servable = {one.name for one in usable(Setup(options=own, lm=False), lm=False, phones=False)}
    start, on, notes = first_options(own, servable)
    assert start == on == JointOptions(decode=replace(own.decode, bias=1.0, unigram=0.0))
    assert notes == ["Left out, since the model has nothing for it: language model, phonetic rescoring, "
                     "pronunciation lookup, contextual adapter."]  # fmt: skip
    assert paths(start, ("decode.lm_weight", "decode.bonus", "rescore.weight", "adapter.strength"), lm=False) == [
        "decode.bonus"
    ]


def test_what_the_model_can_serve_is_switched_on() -> None:
    servable = {one.name for one in usable(Setup(options=OFF, lm=True), lm=True, phones=True, adapter=True)}
    start, on, notes = first_options(OFF, servable)
    assert start == OFF and on.rescore == RescoreOptions() and on.lookup == EvidenceOptions() and on.adapter is not None
    assert on.decode.nbest == 50 and not notes
    _, less, notes = first_options(None, servable, ("contextual adapter", "guard"))
    assert less.adapter is None and less.decode.guard_character == float("inf") and less.lookup is not None
    assert notes[0].startswith("The model has no options of its own") and notes[1].endswith(
        "contextual adapter, guard."
    )


def test_what_changed_is_named() -> None:
    after = replace(OFF, decode=replace(OFF.decode, bonus=2.0), rescore=RescoreOptions())
    assert changes(OFF, after)["decode.bonus"] == 2.0 and set(changes(OFF, after)) == {"decode.bonus", "rescore"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sizes": ()}, "sizes are"),
        ({"alone": 0}, "alone is 0"),
        ({"harm": -1.0}, "harm is"),
        ({"trials": 0}, "trials"),
    ],
)
def test_values_out_of_range(given: dict[str, Any], says: str) -> None:
    with pytest.raises(TuneError, match=says):
        TuneOptions(**given)


# --- the steps ---


def toys(folder: Path, count: int = 24) -> tuple[Corpus, list[Encoded]]:
    """Names of which the letters are wrong and the phones right, and words that sound like a distractor."""
    pairs = [("heely", "Healey"), ("zurik", "Zurich"), ("lizbin", "Lisbon"), ("denva", "Denver")]
    rows, encoded = [], []
    for n in range(count):
        wrote, name = pairs[n % len(pairs)]
        rows.append({"id": str(n), "audio": f"{n}.wav", "text": f"call {name} house", "entities": [name],
                     "speaker": f"s{n % 6}"})  # fmt: skip
        said = sounds(f"call {name.lower()} house", 0.7 + 0.005 * n)
        encoded.append(Encoded(letters(f"call {wrote} house", 0.6), said, 2.0))
    return corpus(folder, rows, ["Howes", "Hollis", "Kell", "Mouse"]), encoded


def toy_steps(made: Corpus, encoded: list[Encoded]) -> Steps:
    def decoder(setup: Setup) -> JointDecoder:
        return JointDecoder(LABELS, options=setup.options)

    return Steps(made, encoded, decoder=decoder, lm=False, frame=0.04)


@pytest.mark.parametrize("kind", ["search", "lookup", "both", "verify", "exact"])
def test_steps_write_what_the_decoder_writes(tmp_path: Path, kind: str) -> None:
    made, encoded = toys(tmp_path, 6)
    soft = EvidenceOptions(threshold=3.0)
    decode = DecodeOptions(bonus=0.0 if kind == "lookup" else 2.0, nbest=5)
    given: dict[str, dict[str, Any]] = {
        "search": {}, "lookup": {"lookup": soft}, "both": {"lookup": soft, "rescore": RescoreOptions()},
        "verify": {"verify": soft}, "exact": {"lookup": "exact"},
    }  # fmt: skip
    o = JointOptions(decode=decode, **given[kind])
    steps = toy_steps(made, encoded)
    for case in (None, Case(made, Condition(count=4)), Case(made, Condition(count=4, own=False))):
        found = steps.texts(o, case)
        assert found == list(steps.whole(o, case))
        assert steps.texts(o, case, [4, 1]) == [found[4], found[1]]
    changed = replace(o, decode=replace(decode, bonus=0.5))
    own = Case(made, Condition(count=4))
    assert steps.texts(changed, own) == list(steps.whole(changed, own))  # nothing of another search is taken
    assert any("Healey" in text for text in steps.texts(o, own)) or kind == "verify"


def test_evidence_is_fitted_and_its_threshold_found(tmp_path: Path) -> None:
    made, encoded = toys(tmp_path, 36)
    o = TuneOptions(sizes=(4,), alone=4, lists=1, false_hits=0.0, harm=0.0, folds=3, trials=2)
    tuner = Tuner(toy_steps(made, encoded), o, TrialLog(tmp_path / "log", []))
    strict = JointOptions(decode=DecodeOptions(bonus=0.0), lookup=EvidenceOptions(threshold=60.0))
    found = tuner.run(strict, strict)
    assert found.start.figures is not None and found.start.figures.f1 == 0.0
    # Four words are not many: that frequent ones are like one of them and not like another separates them too well.
    assert found.best.figures is not None and found.best.figures.f1 > 80.0 and found.best.figures.more_hits == 0.0
    weights = evidence(found.best.options)
    assert weights is not None and weights.threshold < 60.0 and weights.phone_weight == 1.0
    held_out = tuner.judge.held_out(found.best.options)
    assert held_out is not None and held_out.f1 > 70.0


def test_weights_that_are_there_compete_but_for_anew() -> None:
    random = np.random.default_rng(0)
    start = EvidenceOptions(attended_weight=1.0, written=2.0)
    weights = np.array([getattr(start, name) for name in WEIGHTS])
    rows = random.normal(size=(60, len(WEIGHTS)))
    right = (rows @ weights + random.logistic(size=60) > 0).astype(float)  # they are the true ones
    ends = np.stack([np.full(60, -np.log(10.0)), np.ones(60)], axis=1)
    found = Evidences(np.hstack([rows, ends]), right, np.arange(60) % 4)
    kept, fitted = fit(found, start), fit(found, start, anew=True)
    assert kept is not None and fitted is not None and kept.nats < fitted.nats
    assert replace(kept.weights, threshold=start.threshold) == start
    assert replace(fitted.weights, threshold=start.threshold) != start


# --- the command ---


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: untrained, with phones, without options of its own."""
    torch.manual_seed(0)
    config = EncoderConfig(
        vocabulary=29, dim=16, layers=2, heads=2, kernel=3, subword_layers=(1,), phone_layer=1, stem_channels=4
    )
    model = Model(config, Vocabulary.from_characters(" 'abcdefghijklmnopqrstuvwxyz"))
    folder = tmp_path_factory.mktemp("tiny")
    save_model(model, folder)
    return folder


def manifest(folder: Path, count: int = 20, **more: Any) -> list[str]:
    noise = np.random.default_rng(0)
    rows = []
    for n in range(count):
        soundfile.write(folder / f"{n}.wav", 0.1 * noise.standard_normal(4800), 16_000)
        rows.append({"audio": f"{n}.wav", "text": "call healey", "entities": ["Healey"], "speaker": str(n % 4)} | more)
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "names.txt").write_text("Lvov\nOdessa\n")
    return ["tune", str(folder / "in.jsonl"), "--distractors", str(folder / "names.txt"), "--output",
            str(folder / "out"), "--sizes", "2", "--alone", "2", "--lists", "1", "--resamples", "100"]  # fmt: skip


def test_command_writes_what_load_takes(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [*manifest(tmp_path), "--model", str(tiny), "--trials", "3", "--check", str(tmp_path / "in.jsonl")]
    assert main([*given, "--write", str(tiny)]) == 0
    out, err = capsys.readouterr()
    assert "3 trials. It was stopped" in out and "not tuned on" not in out and "nothing was tuned on" in out
    assert "has no options of its own" in err and "language model, contextual adapter" in err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "decode.json",
        "trials.jsonl",
        "tune.json",
        "tune.md",
    }
    content = json.loads((tmp_path / "out" / "tune.json").read_text())
    assert content["trials"] == 3 and content["version"] and content["asked"]["alone"] == 2
    options = JointOptions.from_json(content["options"])
    for recognizer in (
        load(tiny),
        load(tiny, decode=tmp_path / "out" / "decode.json"),
        load(tiny, decode=tmp_path / "out"),
    ):
        assert isinstance(recognizer.decoder, JointDecoder) and recognizer.decoder.options == options
    assert main(["transcribe", str(tmp_path / "0.wav"), "--model", str(tiny), "--options", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    ("more", "count", "line", "says"),
    [
        ([], 20, {"entities": []}, "no line has `entities`"),
        ([], 20, {"text": ""}, "in.jsonl:1 has no `text`"),
        ([], 5, {}, "has 5 utterances; a tuning needs 20"),
        (["--alone", "7"], 20, {}, "7 distractors are asked for, but"),
        (["--lm", "x.arpa", "--no-lm"], 20, {}, "--no-lm and --lm contradict"),
        (["--off", "boosting"], 20, {}, "no technique 'boosting'"),
        (["--options", "none.json"], 20, {}, "none.json"),
        (["--write", "nowhere"], 20, {}, "no model 'nowhere'"),
        (["--budget", "-1"], 20, {}, "budget is -1.0"),
    ],
)
def test_bad_input_is_one_sentence(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], count: int, line: Any, says: str
) -> None:
    assert main([*manifest(tmp_path, count, **line), "--model", str(tiny), *more]) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_without_distractors(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = manifest(tmp_path)
    assert main([*given[:2], *given[4:], "--model", str(tiny)]) == 2
    assert "give --distractors FILE" in capsys.readouterr().err


def test_a_file_of_options_that_is_damaged(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "decode.json").write_text('{"decode": {"bonus": -1}}')
    with pytest.raises(ModelError, match=r"decode.json cannot be used \(bonus is -1"):
        load(tiny, decode=tmp_path)
