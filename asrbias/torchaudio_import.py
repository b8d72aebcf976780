"""The one place that imports torchaudio.

PyPI's torchaudio wheels link against CUDA. Beside a CPU build of torch their native extension cannot load
(libc10_cuda.so is missing) and the whole import fails, although everything used here (mel filters, resampling,
SpecAugment) is plain Python. On that error the half-imported modules are purged, a stand-in takes the native
extension's seat, and the import is tried again; the native functions (`forced_align`, `load`) then stay unavailable.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any


def _stand_in() -> types.ModuleType:
    module = types.ModuleType("torchaudio._extension")

    def fail_if_no_align(function: Any) -> Any:
        def unavailable(*_: Any, **__: Any) -> Any:
            raise RuntimeError(f"torchaudio.{function.__name__} needs torchaudio's native extension, absent here.")

        return unavailable

    vars(module).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _IS_RIR_AVAILABLE=False,
        fail_if_no_align=fail_if_no_align,
        fail_if_no_rir=fail_if_no_align,
    )
    return module


def import_torchaudio() -> types.ModuleType:
    """Return the `torchaudio` module, with its native part replaced by a stand-in where that cannot load."""
    if "torchaudio" in sys.modules:
        return sys.modules["torchaudio"]
    try:
        return importlib.import_module("torchaudio")
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _stand_in()
        return importlib.import_module("torchaudio")
