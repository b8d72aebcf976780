#!/usr/bin/env bash
# All tables of README and docs, then put into them: bash recipes/results/run.sh SHARED [--output FOLDER] [--again]
# Run it in the project's environment (make results SHARED=... does). What has not changed is not done again.
set -euo pipefail
shared=$(realpath "$1") here=$(dirname "$(realpath "$0")")
shift
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
for table in main groups list_size techniques adapter heldout_speech peers speed; do
    echo "== $table"
    python "$here/$table.py" "$shared" "$@"
done
python "$here/show.py"
