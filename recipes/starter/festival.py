"""Festival's voices from Debian, through a child process that stays: ked, a diphone voice, and slt as an HMM voice.

    apt install festival festvox-kdlpc16k festvox-us-slt-hts

Both may be used, changed and sold freely (the University of Edinburgh's and CMU's licences, as in their packages).
"""

from __future__ import annotations

import random
import subprocess
import tempfile
import wave
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from voices import Samples, VoiceError, resample

# By our name: Festival's name, Debian's package.
SPEAKERS = {"ked": ("ked_diphone", "festvox-kdlpc16k"), "slt": ("cmu_us_slt_arctic_hts", "festvox-us-slt-hts")}
_ANSWER = "asrbias-done"


class _Process:
    """`festival --pipe` with one voice chosen; choosing takes longer than a sentence."""

    def __init__(self, name: str) -> None:
        voice, package = SPEAKERS[name]
        self._folder = tempfile.TemporaryDirectory(prefix="festival-")
        self.wave = Path(self._folder.name) / "said.wav"
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._child = subprocess.Popen(["festival", "--pipe"], stdin=pipe, stdout=pipe, stderr=null, text=True)
        except FileNotFoundError:
            raise VoiceError("festival is not installed: apt install festival") from None
        keep = " (define plain_engine hts_engine_params)" if name == "slt" else ""  # say() adds to these
        if not self.run(f"(voice_{voice}){keep}"):
            raise VoiceError(f"festival has no voice {voice}: apt install {package}")

    def run(self, commands: str) -> bool:
        """Whether all commands were done; the first that fails ends them, and Festival waits for the next ones."""
        assert self._child.stdin and self._child.stdout
        try:
            self._child.stdin.write(f"(set! done nil) (begin {commands} (set! done t))")
            self._child.stdin.write(f' (format t "\\n{_ANSWER} %l\\n" done) (fflush nil)\n')
            self._child.stdin.flush()
        except BrokenPipeError:
            return False
        answers = (line.split()[1] for line in self._child.stdout if line.startswith(_ANSWER))
        return next(answers, "nil") == "t"


_started = cache(_Process)


@dataclass(frozen=True, kw_only=True)
class Festival:
    """A speaker of SPEAKERS. Both are American; ked is male, slt female."""

    name: str
    stretch: tuple[float, float] = (0.9, 1.6)  # factor on durations, drawn per sentence
    f0_shift: tuple[float, float] = (0.85, 1.2)  # factor on the pitch; slt ignores it
    lively: tuple[float, float] = (0.5, 1.6)  # factor on the range of the pitch; slt ignores it

    def slower(self, factor: float) -> Festival:
        return replace(self, stretch=(self.stretch[0] * factor, self.stretch[1] * factor))

    def say(self, text: str, random: random.Random) -> tuple[str, Samples]:
        process = _started(self.name)
        stretch, f0_shift, lively = (random.uniform(*r) for r in (self.stretch, self.f0_shift, self.lively))
        if self.name == "slt":
            speak = f"(set! hts_engine_params (append plain_engine '((-r {1 / stretch:.3f}))))"
        else:
            # ked's own mean of 105 Hz and deviation of 14 Hz; its intonation model was made of a voice of 170 and 34 Hz
            speak = (f"(Parameter.set 'Duration_Stretch {stretch:.3f})"
                     f"(set! int_lr_params '((target_f0_mean {105 * f0_shift:.2f})"
                     f"(target_f0_std {14 * lively:.2f}) (model_f0_mean 170) (model_f0_std 34)))")  # fmt: skip
        speak += f'(set! said (utt.synth (Utterance Text "{text}"))) (utt.save.wave said "{process.wave}" \'riff)'
        process.wave.unlink(missing_ok=True)
        if not (process.run(speak) and process.wave.is_file()):
            _started.cache_clear()
            raise VoiceError(f"festival's {self.name} gave nothing for {text!r}")
        with wave.open(str(process.wave)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            return f"festival-{self.name}", resample(samples.astype(np.float32) / 32768, file.getframerate())
