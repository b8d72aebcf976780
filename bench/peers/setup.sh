#!/usr/bin/env bash
# The environment that the peers run in: bash bench/peers/setup.sh [FOLDER]   (default build/peers-env)
#
# It sees the project's own environment (PYTHON, default .venv/bin/python: asrbias, numpy, torch) and adds the peers beside
# it, each without its dependencies: pyctcdecode 0.5.0 asks for numpy 1 and runs on numpy 2; of nemo_toolkit only the word
# spotter's three files are taken. kenlm is built from source and needs a C++ compiler.
set -euo pipefail
repository=$(realpath "$(dirname "$0")/../..")
folder=$(realpath -m "${1:-$repository/build/peers-env}")
python=${PYTHON:-$repository/.venv/bin/python}
[ -x "$(command -v "$python")" ] || { echo "There is no $python; run 'make setup' first, or set PYTHON." >&2; exit 1; }

"$python" -c 'import numpy, safetensors, rapidfuzz' # what the bench itself needs
"$python" -m venv "$folder"
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
project=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# addsitedir, unlike a plain path, also follows the .pth files there, such as that of an editable install.
echo "import site; site.addsitedir('$project')" > "$packages/zz_project.pth"

pip="$folder/bin/python -m pip --quiet --disable-pip-version-check"
$pip install --no-deps pyctcdecode==0.5.0 pygtrie==2.6.2 flashlight-text==0.0.7 kenlm==0.3.0
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
$pip download --no-deps --dest "$temporary" nemo_toolkit==3.0.0
"$folder/bin/python" - "$temporary" "$packages" <<'PYTHON'
import sys
import zipfile
from pathlib import Path

wheel = next(Path(sys.argv[1]).glob("nemo_toolkit-*.whl"))
parts = "nemo/collections/asr/parts/context_biasing"
with zipfile.ZipFile(wheel) as archive:
    for name in ("context_graph_ctc", "ctc_based_word_spotter", "context_biasing_utils"):
        archive.extract(f"{parts}/{name}.py", sys.argv[2])  # without __init__.py: nemo becomes a namespace of three files
PYTHON
"$folder/bin/python" - <<'PYTHON'
import importlib.metadata as metadata

import flashlight.lib.text.decoder.kenlm
import kenlm
import numpy
import pyctcdecode

for name in ("pyctcdecode", "kenlm", "flashlight-text", "numpy"):
    print(name, metadata.version(name))
PYTHON
