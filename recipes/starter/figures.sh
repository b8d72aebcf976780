#!/usr/bin/env bash
# The README's figures of the starter on speech/test: bash recipes/starter/figures.sh SHARED OUTPUT
set -euo pipefail
shared=$(realpath "$1") out=$(realpath -m "$2") here=$(dirname "$(realpath "$0")")
mkdir -p "$out"
lists() { python "$here/lists.py" "$shared/speech/test/manifest.jsonl" --distractors "$shared/speech/distractors.txt" "$@"; }
lists --count 100 --output "$out/own-100.jsonl"
lists --count 100 --distractors-only --output "$out/alone-100.jsonl"
asrbias transcribe --manifest "$out/own-100.jsonl" --output "$out/plain.jsonl" --no-list --no-lm
asrbias transcribe --manifest "$out/own-100.jsonl" --output "$out/no-list.jsonl" --no-list
asrbias transcribe --manifest "$out/own-100.jsonl" --output "$out/list.jsonl"
asrbias transcribe --manifest "$out/alone-100.jsonl" --output "$out/distractors.jsonl"
echo "== no list, no language model"
asrbias score "$out/plain.jsonl" --by corpus
echo "== own entities and 100 distractors, against no list"
asrbias score "$out/list.jsonl" --baseline "$out/no-list.jsonl" --by corpus
echo "== 100 distractors alone, against no list"
asrbias score "$out/distractors.jsonl" --baseline "$out/no-list.jsonl"
