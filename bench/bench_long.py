"""A long recording against the same speech in pieces: python bench/bench_long.py ../shared/speech/dev/manifest.jsonl

The manifest's recordings, speaker by speaker, one after the other as they are, written to a file and transcribed as
one: WER of all of the text, by corpus, and the largest memory of the process. --hours repeats them until there is so
much, and prints the memory as it goes.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import asrbias
from asrbias.audio import read_audio
from asrbias.manifest import ManifestLine, read_manifest

RATE = 16_000  # Hz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--hours", type=float, help="of audio; its text is not scored then")
    arguments = parser.parse_args()
    lines = sorted(read_manifest(arguments.manifest), key=lambda line: (str(line.fields.get("speaker")), line.id))
    recognizer = asrbias.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.flac"
        if arguments.hours:
            hours(recognizer, lines, path, arguments.hours * 3600)
            return
        for corpus in sorted({str(line.fields.get("corpus")) for line in lines}):
            some = [line for line in lines if str(line.fields.get("corpus")) == corpus]
            write(some, path, 0.0)
            said = " ".join(str(line.fields["text"]) for line in some)
            pieces = " ".join(one.text for one in recognizer.transcribe_batch([line.audio for line in some]))
            whole = recognizer.transcribe(path)
            print(f"{corpus}: pieces {asrbias.score([said], [pieces]).totals.wer}")
            print(f"{corpus}: one recording of {len(whole.segments)} segments "
                  f"{asrbias.score([said], [whole.text]).totals.wer}, {peak():.0f} MB at most")  # fmt: skip


def hours(recognizer: asrbias.Recognizer, lines: list[ManifestLine], path: Path, least: float) -> None:
    """One recording of so many seconds; what the process holds after 10 minutes of it, 20, 40, ... and at the end."""
    write(lines, path, least)
    print(f"{peak():.0f} MB at most before the first second")
    begun, due, at, words = time.process_time(), 600.0, [0.0], 0
    for segment in recognizer.segments(path, heard=at.append):
        words += len(segment.words)
        if at[-1] >= due:
            due *= 2
            print(f"{at[-1] / 60:.0f} minutes: {peak():.0f} MB at most", flush=True)
        del at[:-1]
    share = 100 * (time.process_time() - begun) / at[-1]
    print(f"{at[-1] / 60:.0f} minutes, {words} words: {peak():.0f} MB at most, {share:.2f} % of real time")


def write(lines: list[ManifestLine], path: Path, least: float) -> None:
    """One after the other, again and again until there are `least` seconds."""
    once = path.with_name("once.flac")
    with soundfile.SoundFile(once, "w", RATE, 1, "PCM_16") as file:
        for line in lines:
            file.write(np.clip(read_audio(line.audio, sample_rate=RATE), -1, 1))
            if 0 < least * RATE <= file.frames:
                break
    if not least:
        once.rename(path)
        return
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        while file.frames < least * RATE:
            for block in soundfile.blocks(once, blocksize=60 * RATE, dtype="int16"):
                file.write(block)
                if file.frames >= least * RATE:
                    break


def peak() -> float:
    """MB of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
