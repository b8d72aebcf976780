#!/usr/bin/env bash
# The dial on speech/test, by length of list: bash recipes/starter/dial.sh SHARED OUTPUT [SPLIT]
set -euo pipefail
shared=$(realpath "$1") out=$(realpath -m "$2") here=$(dirname "$(realpath "$0")") split=${3:-test}
mkdir -p "$out"
lists() { python "$here/lists.py" "$shared/speech/$split/manifest.jsonl" --distractors "$shared/speech/distractors.txt" "$@"; }
lists --count 100 --output "$out/own-100.jsonl"
lists --count 1000 --output "$out/own-1000.jsonl"
lists --count 1000 --distractors-only --output "$out/alone-1000.jsonl"
for list in own-100 own-1000 alone-1000; do
    for bias in 1 1.7 2; do
        asrbias transcribe --manifest "$out/$list.jsonl" --output "$out/$list-$bias.jsonl" --bias "$bias" 2>/dev/null
        echo "== $list, --bias $bias"
        asrbias score "$out/$list-$bias.jsonl" | grep -E "WER  |precision|F1|false hits" | head -6
    done
done
