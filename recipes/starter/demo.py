"""The demo: recordings of sentences with names that the starter model was never trained on, without and with a list.

    python recipes/starter/demo.py

The recordings beside this file are synthetic speech made by demo_audio.py; neither their sentences nor the names in
them are in any training text (held_out_names.txt).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

import asrbias
from asrbias.transcribe_command import coloured

FOLDER = Path(__file__).parent / "demo"
BIAS = 1.7  # of 0 to 2: lists of some 40 names, each of which is likely, bear more than the safe default


def main() -> None:
    console = Console(highlight=False, soft_wrap=True)
    start = time.perf_counter()
    recognizer = asrbias.load(bias=BIAS)
    console.print(f"starter model loaded in {time.perf_counter() - start:.1f} s\n")
    lines = [json.loads(line) for line in (FOLDER / "demo.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        audio = FOLDER / line["audio"]
        start = time.perf_counter()
        without = recognizer.transcribe(audio)
        middle = time.perf_counter()
        transcript = recognizer.transcribe(audio, line["entities"])
        end = time.perf_counter()
        console.print(f"[bold]{audio.name}[/bold]  ({transcript.duration:.1f} s of speech)")
        console.print(Text("  spoken        ") + Text(line["text"]))
        console.print(Text("  without list  ") + Text(without.text))
        console.print(Text("  with list     ") + coloured(transcript))
        found = ", ".join(word.text for word in transcript.words if word.entity is not None) or "none"
        console.print(
            f"  from the list of {len(line['entities'])}: {found}   "
            f"({1000 * (middle - start):.0f} ms without, {1000 * (end - middle):.0f} ms with)\n"
        )
    console.print(f"Try your own: asrbias transcribe AUDIO --entities names.txt --bias {BIAS}")


if __name__ == "__main__":
    main()
