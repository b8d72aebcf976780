"""A manifest whose every line has the list that the recognizer is to be given, by the protocol of docs/scoring.md.

    python recipes/starter/lists.py ../shared/speech/test/manifest.jsonl \\
        --distractors ../shared/speech/distractors.txt --count 100 --output runs/test-100.jsonl

The list of N for an utterance is its own entities and the first N distractors; with --distractors-only, the latter
alone: biasing must then change nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from asrbias.files import write_whole


def read_distractors(path: Path, count: int) -> list[str]:
    """The first `count` phrases of a file; with fewer the figures would be those of another protocol."""
    phrases = path.read_text(encoding="utf-8").splitlines()
    if len(phrases) < count:
        raise SystemExit(f"{path} has {len(phrases)} phrases, {count} are needed; give a longer file or --count.")
    return phrases[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="JSON lines with `audio`, `text` and `entities`")
    parser.add_argument("--distractors", type=Path, required=True, help="a phrase a line")
    parser.add_argument("--count", type=int, default=100, help="distractors in each list (default: %(default)s)")
    parser.add_argument("--distractors-only", action="store_true", help="leave the utterance's own entities out")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    distractors = read_distractors(arguments.distractors, arguments.count)
    lines = []
    for text in arguments.manifest.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        own = [] if arguments.distractors_only else line["entities"]
        line["list"] = [*own, *distractors]
        line["audio"] = str((arguments.manifest.parent / line["audio"]).resolve())
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    write_whole(arguments.output, "".join(lines).encode())
    print(f"{arguments.output}: {len(lines)} lines, {arguments.count} distractors each")


if __name__ == "__main__":
    main()
