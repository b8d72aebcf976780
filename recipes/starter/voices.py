"""Voices that need no network and no model download: flite and espeak-ng, driven inside the process.

A process start per sentence costs as much as the sentence; through ctypes one core makes 100 hours of flite or 200
of espeak-ng in an hour. Debian: `libflite1`. PyPI: `espeakng-loader`.
"""

from __future__ import annotations

import ctypes
import random
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
RATE = 16000  # Hz, of everything that leaves this file

FLITE = ("slt", "rms", "awb", "kal16")
# An accent by espeak-ng's name for it, and its share.
ACCENTS = {"en-us": 0.50, "en": 0.15, "en-gb-scotland": 0.08, "en-gb-x-rp": 0.08, "en-029": 0.06, "en-us-nyc": 0.06,
           "en-gb-x-gbclan": 0.04, "en-gb-x-gbcwmd": 0.03}  # fmt: skip
VARIANTS = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3",
    "f4", "f5", "adam", "Alex", "Alicia", "Andrea", "Andy", "Annie", "anika", "announcer", "antonio",
    "aunty", "belinda", "benjamin", "boris", "david", "Diogo", "edward", "Gene", "grandma", "grandpa", "Henrique",
    "Hugo", "ian", "iven4", "john", "klatt", "klatt3", "klatt6", "Lee", "linda", "Marco", "Mario",
    "max", "Michael", "michel", "Mike", "miguel", "Nguyen", "pablo", "paul", "quincy", "Reed", "rob",
    "robert", "shelby", "steph", "travis", "victor", "zac",
)  # fmt: skip


class VoiceError(RuntimeError):
    """A voice is not installed, or its library refused to speak."""


class Voice(Protocol):
    """`say` gives mono samples in -1..1 at RATE; what is random about the speaker is drawn from `random`."""

    def say(self, text: str, random: random.Random) -> tuple[str, Samples]: ...

    def slower(self, factor: float) -> Voice:
        """The same speaker with all durations longer by `factor`."""
        ...


class _Wave(ctypes.Structure):
    _fields_ = [("type", ctypes.c_char_p), ("rate", ctypes.c_int), ("count", ctypes.c_int),
                ("channels", ctypes.c_int), ("samples", ctypes.POINTER(ctypes.c_short))]  # fmt: skip


class _FliteVoice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]  # the head of cst_voice is all we touch


# flite keeps the pointer to a feature's name, so these live as long as the process.
_STRETCH, _F0_SHIFT = b"duration_stretch", b"f0_shift"


def _library(name: str, package: str) -> Any:
    try:
        return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        raise VoiceError(f"{name} cannot be loaded: install {package}") from None


@cache
def _flite() -> Any:
    flite = _library("libflite.so.1", "Debian's libflite1 (flite 2.2)")
    flite.flite_init()
    flite.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
    flite.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    flite.flite_feat_set_float.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]
    flite.delete_wave.argtypes = [ctypes.c_void_p]
    flite.delete_wave.restype = None
    for name in ("libflite_cmulex.so.1", "libflite_usenglish.so.1"):
        _library(name, "Debian's libflite1")
    return flite


@dataclass(frozen=True, kw_only=True)
class Flite:
    """One of flite's speakers. slt is female, rms, awb and kal16 male; awb is Scottish, kal16 an old diphone voice."""

    name: str
    stretch: tuple[float, float] = (0.8, 1.25)  # factor on durations, drawn per sentence
    f0_shift: tuple[float, float] = (0.85, 1.2)  # factor on the pitch; rms and kal16 ignore it

    def slower(self, factor: float) -> Flite:
        return replace(self, stretch=(self.stretch[0] * factor, self.stretch[1] * factor))

    @staticmethod
    @cache
    def _load(name: str) -> Any:
        _flite()
        register = getattr(_library(f"libflite_cmu_us_{name}.so.1", "Debian's libflite1"), f"register_cmu_us_{name}")
        register.restype, register.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        return register(None)

    def say(self, text: str, random: random.Random) -> tuple[str, Samples]:
        voice, flite = self._load(self.name), _flite()
        features = ctypes.cast(voice, ctypes.POINTER(_FliteVoice)).contents.features
        flite.flite_feat_set_float(features, _STRETCH, random.uniform(*self.stretch))
        flite.flite_feat_set_float(features, _F0_SHIFT, random.uniform(*self.f0_shift))
        ctypes.CDLL(None).srand(random.randrange(2**31))  # the noise of its excitation comes from C's rand()
        wave = flite.flite_text_to_wave(text.encode("ascii"), voice)
        if not wave:
            raise VoiceError(f"flite's {self.name} gave nothing for {text!r}")
        samples = np.ctypeslib.as_array(wave.contents.samples, (wave.contents.count,)).astype(np.float32) / 32768
        rate = wave.contents.rate
        flite.delete_wave(wave)
        return f"flite-{self.name}", resample(samples, rate)


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_spoken: list[npt.NDArray[np.int16]] = []  # espeak-ng has one callback a process


def _collect(samples: Any, count: int, _events: Any) -> int:
    if samples and count > 0:
        _spoken.append(np.ctypeslib.as_array(samples, (count,)).copy())
    return 0


_collector = _CALLBACK(_collect)  # espeak-ng keeps the pointer, so it lives as long as the process


@cache
def _espeak() -> tuple[Any, int]:
    try:
        import espeakng_loader  # type: ignore[import-untyped]
    except ImportError:
        raise VoiceError("espeak-ng is missing: pip install espeakng-loader") from None
    espeak = ctypes.CDLL(espeakng_loader.get_library_path())
    retrieval = 1  # AUDIO_OUTPUT_RETRIEVAL: samples go to the callback, not to a sound card
    rate = espeak.espeak_Initialize(retrieval, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate <= 0:
        raise VoiceError("espeak-ng did not start: its data does not fit its library, reinstall espeakng-loader")
    espeak.espeak_SetSynthCallback(_collector)
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))  # else seeded by the clock
    return espeak, rate


@dataclass(frozen=True, kw_only=True)
class Espeak:
    """espeak-ng: a random accent, variant, rate and pitch for each sentence."""

    rate: tuple[int, int] = (85, 170)  # words a minute, 80 at least; its default of 175 is faster than people read
    pitch: tuple[int, int] = (25, 75)  # 0..99, 50 is the variant's own
    range: tuple[int, int] = (30, 80)  # 0..99, how lively the pitch moves
    volume: int = 45  # of 0..200; at its default of 100 some variants clip
    accents: dict[str, float] = field(default_factory=lambda: ACCENTS)
    variants: tuple[str, ...] = VARIANTS

    def slower(self, factor: float) -> Espeak:
        return replace(self, rate=(round(self.rate[0] / factor), round(self.rate[1] / factor)))

    def say(self, text: str, random: random.Random) -> tuple[str, Samples]:
        espeak, rate = _espeak()
        accent = random.choices(list(self.accents), list(self.accents.values()))[0]
        name = f"{accent}+{random.choice(self.variants)}"
        if espeak.espeak_SetVoiceByName(name.encode()) != 0:
            raise VoiceError(f"espeak-ng has no voice {name!r}")
        # 1 rate, 2 volume, 3 pitch, 4 range: espeak_PARAMETER
        for parameter, value in ((1, random.randint(*self.rate)), (2, self.volume), (3, random.randint(*self.pitch)),
                                 (4, random.randint(*self.range))):  # fmt: skip
            espeak.espeak_SetParameter(parameter, value, 0)
        _spoken.clear()
        data, utf8 = text.encode(), 1
        espeak.espeak_Synth(data, len(data) + 1, 0, 0, 0, utf8, None, None)
        espeak.espeak_Synchronize()
        if not _spoken:
            raise VoiceError(f"espeak-ng's {name} gave nothing for {text!r}")
        return f"espeak-{name}", resample(np.concatenate(_spoken).astype(np.float32) / 32768, rate)


def resample(samples: npt.NDArray[np.floating[Any]], rate: int, target: int = RATE) -> Samples:
    """Samples [T] at `rate` Hz -> [T'] at `target` Hz, by cutting the spectrum of the whole utterance.

    The last 500 Hz below the new Nyquist frequency fade out, which keeps the ringing of a hard edge away.
    """
    if rate == target:
        return samples.astype(np.float32)
    common = int(np.gcd(rate, target))
    block, blocks = rate // common, -(-len(samples) // (rate // common))
    blocks += -blocks % 16  # lengths of many small factors transform fast
    spectrum = np.fft.rfft(samples, block * blocks)
    length = target // common * blocks
    kept = spectrum[: length // 2 + 1]
    kept = np.pad(kept, (0, length // 2 + 1 - len(kept)))
    nyquist = min(rate, target) / 2
    frequency = np.arange(len(kept)) * target / length
    fade = np.clip((nyquist - frequency) / 500, 0, 1)
    kept = kept * (0.5 - 0.5 * np.cos(np.pi * fade))
    whole = np.fft.irfft(kept, length) * (length / (block * blocks))
    return whole[: round(len(samples) * target / rate)].astype(np.float32)
