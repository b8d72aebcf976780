"""What a tuning shows: its trials as they come, and the figures of what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from asrbias.ablation import Estimate, Row, make_rows
from asrbias.ablation_settings import ALL, NONE, Setting
from asrbias.score import Score
from asrbias.significance import BootstrapOptions
from asrbias.techniques import Setup
from asrbias.tune_trials import Bounds, Figures, Trial

BEFORE = "start"
SHOWN = 24  # trials in the live table
COLUMNS = ("", "stage", "changed", "found")


class Board:
    """A live table of the trials on a terminal, else a line a trial. A context manager."""

    def __init__(self, bounds: Bounds, console: Console) -> None:
        self._bounds, self._console = bounds, console
        self._rows: list[tuple[str, str, str, str]] = []
        self._count = 0
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> Board:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, trial: Trial, best: Trial | None) -> None:
        self._count += 1
        found = summary(trial.figures, self._bounds) if trial.figures is not None else _value(trial)
        row = (f"{self._count}{'*' if trial is best else ''}", trial.stage, trial.changed or "-",
               f"{found} (from the log)" if trial.again else f"{found} ({trial.seconds:.0f} s)")  # fmt: skip
        self._rows = [*self._rows, row][-SHOWN:]
        if self._live is None:
            self._console.print("  ".join(row), highlight=False, soft_wrap=True)
            return
        table = Table(*COLUMNS, title="trials; * the best so far")
        for one in self._rows:
            table.add_row(*one)
        self._live.update(table)


def summary(one: Figures, bounds: Bounds) -> str:
    """Of a trial, in a line."""
    f1 = " / ".join(f"{own.f1:.1f}" for own in one.own)
    kept = "" if bounds.met(one) else ", exceeds the bounds"
    return (
        f"F1 {f1}, WER {one.wer:.2f}; alone {one.more_hits:+.2f} false hits in 1,000 words, WER {one.more_wer:+.2f}"
        f"{kept}"
    )


def _value(trial: Trial) -> str:
    return f"WER {trial.value:.2f}" if trial.stage == "no list" else f"{trial.value:.2f} millinats a claim"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """No list, the start and what was found, with one kind of list."""

    lists: str
    own: bool  # whether anything of the list is said
    rows: Mapping[str, Row]  # NONE, BEFORE and ALL


def compare(lists: str, own: bool, scores: Mapping[str, Score], options: BootstrapOptions) -> Compared:
    """Scores of NONE, BEFORE and ALL on the same utterances -> their rates and differences, with intervals."""
    setup = Setup(options=None, lm=False)  # type: ignore[arg-type]  # only the names are read
    kinds = ((NONE, None), (BEFORE, None), (ALL, BEFORE))
    settings = [Setting(name=name, kind="all", setup=setup, base=base) for name, base in kinds]
    rows = make_rows(settings, [scores[name] for name, _ in kinds], options)
    return Compared(lists=lists, own=own, rows={row.setting.name: row for row in rows})


def markdown(parts: Sequence[Compared], names: Mapping[str, str]) -> str:
    """The tables. names: what the rows are called."""
    lines = []
    for part in parts:
        lines += ["", f"**{part.lists}**", "", "| | F1 | precision / recall | WER | false hits in 1,000 words |",
                  "| --- | --- | --- | --- | --- |"]  # fmt: skip
        for name, row in part.rows.items():
            rates = row.rates
            f1 = _with_interval(rates["f1"]) if part.own else "-"
            both = f"{_one(rates['precision'])} / {_one(rates['recall'])}" if part.own else "-"
            hits = _with_interval(rates["false_hits_per_1000_words"], 2)
            lines.append(f"| {names[name]} | {f1} | {both} | {_with_interval(rates['wer'], 2)} | {hits} |")
        against = part.rows[ALL].against[BEFORE]
        f1 = f"F1 {_difference(against['f1'])}, " if part.own else ""
        hits = _difference(against["false_hits_per_1000_words"], 2)
        wer = _difference(against["wer"], 2)
        lines += ["", f"{names[ALL]} against {names[BEFORE]}: {f1}WER {wer}, false hits {hits}."]
    return "\n".join(lines[1:]) + "\n"


def to_dict(part: Compared) -> dict[str, Any]:
    """For tune.json."""

    def rates(given: Mapping[str, Estimate]) -> dict[str, Any]:
        return {name: [one.value, one.low, one.high] for name, one in given.items()}

    rows = {name: rates(row.rates) for name, row in part.rows.items()}
    return {"lists": part.lists, "rows": rows, "all against start": rates(part.rows[ALL].against[BEFORE])}


def _one(estimate: Estimate, digits: int = 1) -> str:
    return "-" if estimate.value is None else f"{estimate.value:.{digits}f}"


def _with_interval(estimate: Estimate, digits: int = 1) -> str:
    if estimate.value is None or estimate.low is None:
        return _one(estimate, digits)
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _difference(estimate: Estimate, digits: int = 1) -> str:
    if estimate.value is None or estimate.low is None:
        return _one(estimate, digits)
    return f"{estimate.value:+.{digits}f} ({estimate.low:+.{digits}f} to {estimate.high:+.{digits}f})"
