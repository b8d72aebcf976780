"""Speed as ratios, each of one run and one thread, by processor time: bench/bench_search.py and bench/bench_decoder.py.

Peers are timed too, in their environment (bench/peers/setup.sh); bench_recognizer.py gives the encoder's share.

    python recipes/results/speed.py SHARED              # docs/results/speed.md
"""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from page import ROOT, Maker, Page, parser, rows
from peers import Bench

from asrbias.loading import find_language_model

BENCH = ROOT / "bench"
REPORT = re.compile(r"^(.+?)\s+([\d.]+) (times|s|MiB)\s+\((at least|at most) ([\d.]+)\)(  MISSED)?$")
RECOGNIZER = re.compile(r"^10 s of audio, (.+): ([\d.]+) % of real time$")
SEARCH = re.compile(r"^\s+([\d,]+) phrases\s+[\d.]+ ms\s+([\d.]+) % of real time")
PARALLEL = "two threads, wall-clock over one"  # which says something on idle cores only


def main() -> None:
    made = parser(__doc__, limit=False)
    made.add_argument("--env", type=Path, default=ROOT / "build" / "peers-env", help="the peers', made if not there")
    arguments = made.parse_args()
    data = [*sorted(BENCH.glob("*.py")), *sorted((BENCH / "peers").glob("*.py"))]
    maker = Maker(name="speed", script=Path(__file__), arguments=arguments, data=data)
    if maker.done():
        return
    found = measure(arguments, maker.folder)
    maker.write(
        Page(
            name="speed",
            title="Speed",
            blocks={"table": found},
            about=(
                "ratios of processor time within one run of one process, one thread; lists are made ready anew for "
                "each utterance where peers are compared; posteriors of `speech/dev`",
                "programs: bench/bench_recognizer.py, bench/bench_decoder.py, bench/bench_search.py",
            ),
        )
    )


def measure(arguments: Namespace, model: Path) -> str:
    """The table, and what misses its bar."""
    bench = Bench(arguments, model)
    bench.prepare()
    names = ["--distractors", str(arguments.shared / "speech" / "distractors.txt")]
    lm = find_language_model(model)
    search = [bench.folder / "dev", *names, *(["--lm", lm] if lm is not None else [])]
    reports = list(read_reports(output(bench.python, BENCH / "bench_search.py", *search)))
    saved = bench.folder / "dev.npz"
    few = sorted((arguments.shared / "speech" / "dev").glob("*.opus"))[:60]
    heard = output(sys.executable, BENCH / "bench_recognizer.py", "--posteriors", saved, *few)
    listed = ["--names", arguments.shared / "speech" / "distractors.txt", "--repeat", "4"]
    decoded = output(sys.executable, BENCH / "bench_decoder.py", "--posteriors", saved, *listed)
    own = [*read_recognizer(heard), *read_decoder(decoded)]
    shown = [(what, value, wanted) for what, value, wanted, _ in reports]
    missed = [what for what, _, _, missed in reports if missed]
    said = f"\nMissed: {'; '.join(missed)}.\n" if missed else "\nNothing misses what is wanted.\n"
    idle = (
        f'"{PARALLEL}" says something only where two cores are idle.\n'
        if any(what.endswith(PARALLEL) for what, *_ in reports)
        else ""
    )
    return (
        rows(("speed, starter model", "value", "wanted"), *shown, *((what, value, "–") for what, value in own))
        + said
        + idle
    )


def output(*command: object) -> str:
    """What a program prints."""
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def read_reports(text: str) -> Iterable[tuple[str, str, str, bool]]:
    """Lines of bench_search.py: what, value, what is wanted, whether it misses that."""
    section = ""
    for line in text.splitlines():
        if line.startswith(("with the language", "without a language")):
            section = line.replace("with the", "with").replace("without a", "no") + ": "
        elif line.startswith("peers"):
            section = ""
        if match := REPORT.match(line):
            what, value, unit, kind, bar, missed = match.groups()
            unit = f" {unit}"
            yield (
                section + what,
                f"{float(value):.{1 if float(value) >= 10 else 2}f}{unit}",
                f"{kind} {bar}{unit}",
                bool(missed),
            )


def read_recognizer(text: str) -> Iterable[tuple[str, str]]:
    """Ratios to the time without a list."""
    times = [(match[1], float(match[2])) for line in text.splitlines() if (match := RECOGNIZER.match(line))]
    for what, time in times[1:]:
        yield f"10 s of audio to text, {what}, over no list (wall-clock)", f"{time / times[0][1]:.2f} times"


def read_decoder(text: str) -> Iterable[tuple[str, str]]:
    """Ratios of the search with longer lists to one of 10."""
    times: Sequence[tuple[str, float]] = [
        (match[1], float(match[2])) for line in text.splitlines() if (match := SEARCH.match(line))
    ]
    base = next((time for size, time in times if size == "10"), None)
    for size, time in times:
        if base and size not in ("0", "10"):
            yield f"search with the default options, list of {size} over one of 10", f"{time / base:.2f} times"


if __name__ == "__main__":
    main()
