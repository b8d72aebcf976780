#!/usr/bin/env bash
# The starter model from nothing: bash recipes/starter/run.sh SHARED WORK
#   SHARED  folder with speech/ and text/ (not part of the project)
#   WORK    folder for audio and runs (about 6 GB)
# Every stage is skipped where its result is there already, and trainings go on where they stopped. Run it in the project's
# environment (make setup; source .venv/bin/activate). PRECEDE="chrt -r 1" keeps a training ahead of all else on a busy machine.
set -euo pipefail
shared=$(realpath "$1") work=$(realpath -m "$2") here=$(dirname "$(realpath "$0")")
train="${PRECEDE:-} asrbias train --dev $work/real/dev.jsonl"
export OMP_WAIT_POLICY=PASSIVE
mkdir -p "$work"

# 1 and 2: real speech decoded once, a shard a corpus; the vocabulary
[ -e "$work/real/train-commonvoice-en.jsonl" ] || asrbias pack "$shared/speech/train/manifest.jsonl" "$work/real/train" --by corpus
[ -e "$work/real/dev.jsonl" ] || asrbias pack "$shared/speech/dev/manifest.jsonl" "$work/real/dev"
[ -e "$work/tokens/tokens.model" ] || python "$here/vocabulary.py" --text "$shared/text" \
    --manifest "$shared/speech/train/manifest.jsonl" --size 256 --output "$work/tokens"

# 3: synthetic speech, an hour a shard (README.md says what to install)
say() { python "$here/synthesize.py" "$work/$1" --text "$shared/text" --exclude "$shared"/speech/{dev,test}/manifest.jsonl \
    --voices "$2" --hours "$3" --jobs "$(nproc)" --seed "$4" "${@:5}"; }
say flite flite-slt 6 1
say flite flite 8 1
say espeak espeak 8 7
say mixed mixed 6 11
say wide wide 10 51 --simple "$shared/speech/train/manifest.jsonl" --sources commonvoice=0.8 slurp=0.2

# 4a: one clear voice, short utterances first, until the plateau is left
[ -e "$work/s1/done" ] || { $train --data "$work/flite/flite-slt-*.jsonl" --tokens "$work/tokens" --output "$work/s1" \
    --steps 1000 --rate 8e-4 --warmup 300 --decay 0 --seconds 48 --short-first --phone 1.0 \
    --noise 0 --room 0 --colour 0 --average 0.98 --evaluate-every 250; touch "$work/s1/done"; }

# 4b to 4d: real speech, more of it and less augmentation as it goes
real=() ; for part in commonvoice-en=2 speechocean762=1.5 robotutor=1 robotutor-words=0.5 cathy=0.7 african-storybook=1 ljspeech=1; do
    real+=(--data "$work/real/train-${part%=*}.jsonl=${part#*=}"); done
[ -e "$work/s2/done" ] || { $train "${real[@]}" --data "$work/flite/flite-0*.jsonl=0.5" --data "$work/flite/flite-slt-*.jsonl=0.15" \
    --init "$work/s1" --init-last --output "$work/s2" --steps 1400 --rate 1e-3 --warmup 200 --decay 0 --seconds 90 --phone 0.5 \
    --noise 0.4 --room 0.15 --colour 0.3 --average 0.99 --evaluate-every 400; touch "$work/s2/done"; }
light=(--noise 0.2 --room 0 --colour 0.2 --frequency-masks 1 --time-masks 2 --phone 0.3 --seconds 96 --evaluate-every 400)
[ -e "$work/s3/done" ] || { $train "${real[@]}" --data "$work/flite/flite-0*.jsonl=0.15" --data "$work/espeak/*.jsonl=0.25" \
    --init "$work/s2" --init-last --output "$work/s3" --steps 1300 --rate 1e-3 --warmup 100 --decay 0 --average 0.99 \
    "${light[@]}"; touch "$work/s3/done"; }
real=() ; for part in commonvoice-en=2.5 speechocean762=1.5 robotutor=1 robotutor-words=0.3 cathy=0.5 african-storybook=1 ljspeech=1; do
    real+=(--data "$work/real/train-${part%=*}.jsonl=${part#*=}"); done
last=("${real[@]}" --init-last --decay 1.0)
some=(--data "$work/mixed/mixed-*.jsonl=0.25" --data "$work/espeak/*.jsonl=0.1" --average 0.995)
more=(--data "$work/mixed/mixed-*.jsonl=0.5" --data "$work/espeak/*.jsonl=0.25" --average 0.99)
[ -e "$work/s4/done" ] || { $train "${last[@]}" "${some[@]}" "${light[@]}" --init "$work/s3" --output "$work/s4" --steps 2900 --stop-at 700 \
    --rate 1.2e-3 --warmup 100; touch "$work/s4/done"; }
[ -e "$work/s5/done" ] || { $train "${last[@]}" "${some[@]}" "${light[@]}" --init "$work/s4" --output "$work/s5" --steps 3000 --stop-at 2100 \
    --rate 1e-3 --warmup 50; touch "$work/s5/done"; }
[ -e "$work/s6/done" ] || { $train "${last[@]}" "${more[@]}" --init "$work/s5" --output "$work/s6" --steps 840 --rate 5e-4 --warmup 20 \
    --seconds 96 --phone 0.3 --noise 0.5 --room 0.2 --colour 0.4 --frequency-masks 2 --time-masks 4 --evaluate-every 420
    touch "$work/s6/done"; }

# 4e: from their mean on, with all augmentation, and with something dropped. A stage needs a seed of its own: the batches of
# an epoch are a function of seed and epoch, and every run begins at epoch 0.
[ -e "$work/first/config.json" ] || python "$here/ship.py" "$work/s5" "$work/s6" --output "$work/first"
strong=(--seconds 96 --phone 0.3 --noise 0.5 --room 0.2 --colour 0.4 --frequency-masks 2 --time-masks 4 --evaluate-every 500)
on=("${real[@]}" "${strong[@]}" --data "$work/mixed/mixed-*.jsonl=0.5" --data "$work/espeak/*.jsonl=0.25" --average 0.995 --rate 8e-4
    --warmup 50 --decay 0 --steps 20000)
[ -e "$work/s7/done" ] || { $train "${on[@]}" --init "$work/first" --output "$work/s7" --stop-at 1300 --seed 7; touch "$work/s7/done"; }

# Clips without transcripts whose sentences are among those at hand: 231 of 3,200
[ -e "$work/real/found.jsonl" ] || python "$here/retrieve.py" "$shared/speech/unlabelled/manifest.jsonl" --lead 12 --slack 0.6 \
    --sentences "$shared/text/commonvoice-sentences.txt.gz" --model "$work/first" --output "$work/real/found"
on+=(--data "$work/real/found.jsonl=2.5" --init-last --warp 0.12 --layer-drop 0.15)
[ -e "$work/s8/done" ] || { $train "${on[@]}" --init "$work/s7" --output "$work/s8" --stop-at 1000 --dropout 0.05 --seed 8
    touch "$work/s8/done"; }
on+=(--data "$work/wide/wide-*.jsonl=0.5" --optimizer muon)
[ -e "$work/s9/done" ] || { $train "${on[@]}" --init "$work/s8" --output "$work/s9" --stop-at 1100 --dropout 0.05 --seed 9
    touch "$work/s9/done"; }
[ -e "$work/s10/done" ] || { $train "${on[@]}" --init "$work/s9" --output "$work/s10" --stop-at 1100 --dropout 0.1 --seed 10
    touch "$work/s10/done"; }

# 4f: labels for the other clips by the model and a language model, twice; the rate falls to zero
[ -e "$here/../../asrbias/models/starter/lm.npz" ] || python "$here/lm.py" "$shared"
label() { [ -e "$work/real/$2.jsonl" ] || python "$here/pseudo_label.py" "$shared/speech/unlabelled/manifest.jsonl" --model "$work/$1" \
    --lm "$here/../../asrbias/models/starter/lm.npz" --skip "$work/real/found.jsonl" --keep "$3" --output "$work/real/$2"; }
real=() ; for part in commonvoice-en=2.5 speechocean762=2 robotutor=0.7 robotutor-words=0.2 cathy=0.5 african-storybook=1 ljspeech=1 \
    found=2.5; do real+=(--data "$work/real/$([ $part = found=2.5 ] || echo train-)${part%=*}.jsonl=${part#*=}"); done
end=("${real[@]}" "${strong[@]}" --data "$work/mixed/mixed-*.jsonl=0.35" --data "$work/espeak/*.jsonl=0.15" --optimizer muon --init-last
    --data "$work/wide/wide-*.jsonl=0.5" --average 0.992 --warmup 20 --decay 1 --dropout 0.1 --layer-drop 0.1 --warp 0.12)
label s10 heard1 0.6
[ -e "$work/s11/done" ] || { $train "${end[@]}" --data "$work/real/heard1.jsonl" --init "$work/s10" --output "$work/s11" --rate 8e-4 \
    --steps 4000 --stop-at 2300 --seed 11; touch "$work/s11/done"; }
label s11 heard2 0.75

# 4g: sentences are known by heart by now: the same words in new company
for part in "commonvoice-en 5 1 4 12" "speechocean762 6 2 3 9"; do
    set -- $part
    [ -e "$work/real/spliced-$1.jsonl" ] || python "$here/splice.py" "$work/real/train-$1.jsonl" --model "$work/s11" --hours "$2" \
        --seed "$3" --words "$4" "$5" --output "$work/real/spliced-$1"
done
real=() ; for part in train-commonvoice-en=1.5 train-speechocean762=1 train-robotutor=0.5 train-robotutor-words=0.15 train-cathy=0.3 \
    train-african-storybook=0.6 train-ljspeech=0.7 found=1.5 heard2=1 spliced-commonvoice-en=1 spliced-speechocean762=1; do
    real+=(--data "$work/real/${part%=*}.jsonl=${part#*=}"); done
[ -e "$work/s12/done" ] || { $train "${real[@]}" "${strong[@]}" --data "$work/mixed/mixed-*.jsonl=0.35" --data "$work/espeak/*.jsonl=0.15" \
    --data "$work/wide/wide-*.jsonl=0.4" --init "$work/s11" --init-last --output "$work/s12" --optimizer muon --rate 6.5e-4 --warmup 20 \
    --decay 1 --steps 2000 --average 0.99 --dropout 0.1 --layer-drop 0.1 --warp 0.12 --seed 12; touch "$work/s12/done"; }

# 4h: a bottleneck of phones (asrbias/encoder.py). Above it the model learns to spell from text alone, below it to hear phones
second=$work/second text=$work/spelling.txt.gz
[ -e "$second/config.json" ] || python "$here/ship.py" "$work/s11" "$work/s12" --output "$second"
[ -e "$text" ] || python "$here/spelling_text.py" "$shared" --seed 3 -o "$text"
heard=() ; for part in commonvoice-en=1 speechocean762=1 robotutor=0.3 african-storybook=0.6 ljspeech=0.4 cathy=0.15; do
    heard+=("$work/real/train-${part%=*}.jsonl=${part#*=}"); done
bank() { [ -e "$work/$2.npz" ] || python "$here/phone_bank.py" "$1" "${heard[@]}" --dev "$work/real/dev.jsonl" --seed "$3" -o "$work/$2.npz"; }
written=(--sentences "$text" --text-seconds 150 --optimizer muon --dropout 0.1 --layer-drop 0.1)
bank "$second" bank1 11
[ -e "$work/s13/config.json" ] || python "$here/phone_bottleneck.py" "$second" -o "$work/s13"
[ -e "$work/s14/done" ] || { $train --data "$work/real/train-commonvoice-en.jsonl" --init "$work/s13" --output "$work/s14" --seed 14 \
    "${written[@]}" --phone-bank "$work/bank1.npz" --text-share 1 --rate 1e-3 --warmup 100 --decay 0 --steps 20000 --stop-at 2000 \
    --average 0.998; touch "$work/s14/done"; }
real=() ; for part in train-commonvoice-en=2 train-speechocean762=1.3 train-robotutor=0.5 train-robotutor-words=0.15 train-cathy=0.3 \
    train-african-storybook=0.6 train-ljspeech=0.7 found=1.5 heard2=1 spliced-commonvoice-en=0.7 spliced-speechocean762=0.7; do
    real+=(--data "$work/real/${part%=*}.jsonl=${part#*=}"); done
real+=(--data "$work/mixed/mixed-*.jsonl=0.3" --data "$work/espeak/*.jsonl=0.12" --data "$work/wide/wide-*.jsonl=0.35")
[ -e "$work/s15/done" ] || { $train "${real[@]}" "${strong[@]}" --init "$work/s13" --output "$work/s15" --seed 21 --phone 1 --subword 0 \
    --optimizer muon --rate 8e-4 --warmup 100 --decay 0 --steps 20000 --stop-at 1400 --average 0.995 --dropout 0.15 --layer-drop 0.1 \
    --warp 0.12; touch "$work/s15/done"; }

# 4i: both at once, on two ways from the same start; every bank is learnt by heart in time, so the later stages have three
bank "$work/s15" bank2 5
[ -e "$work/s16/config.json" ] || python "$here/phone_bottleneck.py" "$work/s15" --upper "$work/s14" -o "$work/s16"
both() { [ -e "$work/$1/done" ] || { $train "${real[@]}" "${strong[@]}" "${written[@]}" --output "$work/$1" --init "$work/$2" --seed "$3" \
    --text-share "$4" --phone-bank "$work/$5.npz" --average "$6" --phone 1 --apart --warp 0.12 "${@:7}"; touch "$work/$1/done"; }; }
high=(--rate 8e-4 --warmup 50)
both s17a s16 31 0.5 bank2 0.995 "${high[@]}" --decay 0.5 --steps 3200 --stop-at 680
both s17 s17a 35 0.8 bank2 0.993 "${high[@]}" --decay 1 --steps 2600 --stop-at 1500 --init-last
both s18 s16 32 0.5 bank2 0.99 "${high[@]}" --decay 0.5 --steps 1000
[ -e "$work/bank3.npz" ] || python "$here/phone_bank.py" "$work/s17" "${heard[@]}" "$work/real/spliced-commonvoice-en.jsonl=0.3" \
    --dev "$work/real/dev.jsonl" --dropout 0.25 --passes 3 --seed 101 -o "$work/bank3.npz"
low=(--rate 6e-4 --warmup 50 --decay 1 --init-last)
both s19 s17 36 0.8 bank3 0.99 "${low[@]}" --steps 1500
both s20 s18 37 0.65 bank3 0.985 "${low[@]}" --steps 560

third=$work/third
[ -e "$third/config.json" ] || python "$here/ship.py" "$work/s17" "$work/s18" "$work/s19" "$work/s20" --shares 1 1 2 2 --output "$third"

# 4j: labels by all of joint decoding, and phones alone on several ways: 13 h are being learnt by heart, means of ways are what gains
label third heard3 0.8
real=() ; for part in train-commonvoice-en=1.7 heard3=1.2 found=1.5 spliced-commonvoice-en=0.6 train-speechocean762=1.5 \
    spliced-speechocean762=0.6 train-robotutor=0.5 train-robotutor-words=0.15 train-cathy=0.3 train-african-storybook=0.6 \
    train-ljspeech=0.6; do real+=(--data "$work/real/${part%=*}.jsonl=${part#*=}"); done
phones=("${real[@]}" "${strong[@]}" --phone 1 --subword 0 --optimizer muon --warmup 40 --average 0.995 --layer-drop 0.1 --warp 0.12)
[ -e "$work/p1/done" ] || { $train "${phones[@]}" --init "$third" --output "$work/p1" --rate 8e-4 --steps 2000 --decay 0.6 \
    --dropout 0.15 --seed 301; touch "$work/p1/done"; }
[ -e "$work/p2/done" ] || { $train "${phones[@]}" --init "$third" --output "$work/p2" --rate 8e-4 --steps 2000 --decay 0.6 \
    --dropout 0.1 --seed 302; touch "$work/p2/done"; }
[ -e "$work/m1/config.json" ] || python "$here/ship.py" "$third" "$work/p1" "$work/p2" --shares 1 1 2 --output "$work/m1"
[ -e "$work/p3/done" ] || { $train "${phones[@]}" --init "$work/m1" --output "$work/p3" --rate 7e-4 --steps 2400 --decay 0.7 \
    --dropout 0.1 --seed 303; touch "$work/p3/done"; }
[ -e "$work/m3/config.json" ] || python "$here/ship.py" "$work/m1" "$work/p3" --output "$work/m3"

# 4k: then the layers above by text, and both at once
[ -e "$work/bank8.npz" ] || python "$here/phone_bank.py" "$work/m3" "${heard[@]}" "$work/real/spliced-commonvoice-en.jsonl=0.3" \
    --dev "$work/real/dev.jsonl" --dropout 0.25 --passes 2 --seed 401 -o "$work/bank8.npz"
[ -e "$work/u1/done" ] || { $train --data "$work/real/train-commonvoice-en.jsonl" --init "$work/m3" --output "$work/u1" --seed 402 \
    "${written[@]}" --phone-bank "$work/bank8.npz" --text-share 1 --apart --rate 6e-4 --warmup 50 --decay 0.8 --steps 2500 \
    --average 0.995; touch "$work/u1/done"; }
both u2 u1 405 0.45 bank8 0.99 --rate 6e-4 --warmup 40 --decay 1 --steps 1500

# 5 to 7: the mean of the last two; the decoder tuned on dev; figures on test
starter=$here/../../asrbias/models/starter dev=$shared/speech/dev/manifest.jsonl
python "$here/ship.py" "$work/u1" "$work/u2" --output "$starter"

# 8: the adapter: on two ways from the same start for the base before, their mean, and on from there for this one (the first
# ways grew while their parts were written: docs/log.md, fourth session; their phone bank was of that base)
names=$work/names.txt.gz
[ -e "$names" ] || python "$here/spelling_text.py" "$shared" --count 300000 --names 0.5 --seed 77 -o "$names"
bank() { [ -e "$work/$2.npz" ] || python "$here/phone_bank.py" "$1" "${heard[@]}" "${@:4}" --dev "$work/real/dev.jsonl" --dropout 0.25 \
    --passes 2 --seed "$3" -o "$work/$2.npz"; }
adapt() { [ -e "$work/$1/done" ] || { ${PRECEDE:-} asrbias train adapter "$2" --sentences "$names" --phone-bank "$work/$3.npz" \
    --output "$work/$1" --dev "$work/real/dev.jsonl" --distractors "$shared/speech/distractors.txt" "${@:4}"; touch "$work/$1/done"; }; }
bank "$third" bank7 201
adapt a1 "$third" bank7 --steps 4000 --rate 2e-3 --forced 0.4 --decay 0.1 --seed 2
adapt a2 "$third" bank7 --init "$work/a1" --steps 2100 --rate 1.5e-3 --warmup 60 --forced 0.1 --decay 0.8 --dropped 0.35 --seed 6
adapt a3 "$third" bank7 --init "$work/a1" --steps 1300 --rate 1.5e-3 --warmup 60 --forced 0.1 --decay 0.8 --dropped 0.35 --seed 7
[ -e "$third/adapter.json" ] || python "$here/ship_adapter.py" "$work/a2" "$work/a3" --model "$third"
bank "$starter" bank9 403 "$work/real/spliced-commonvoice-en.jsonl=0.3"
adapt b1 "$starter" bank9 --init "$third" --steps 1600 --rate 1.5e-3 --warmup 60 --forced 0.1 --decay 0.8 --dropped 0.35 --seed 61
adapt c2 "$starter" bank9 --init "$work/b1" --steps 1300 --rate 1.5e-3 --warmup 60 --forced 0.1 --decay 0.8 --dropped 0.35 --seed 72
python "$here/ship_adapter.py" "$work/b1" "$work/c2" --model "$starter"

# the table of frequent words (asrbias/rivals.py), then all weights; the dial (8 nats) is set by hand, and the threshold 0.3 above
python "$here/../lexicon/frequent.py" "$starter/lm.npz" "$here/../../lexicons"
tune=(asrbias tune "$dev" --anew --distractors "$shared/speech/distractors.txt" --model "$starter")
"${tune[@]}" --false-hits 0.7 --output "$work/tuned" --write "$starter"
"${tune[@]}" --off "contextual adapter" --output "$work/without" && cp "$work/without/decode.json" "$here/without_adapter.json"
bash "$here/../results/run.sh" "$shared" --output "$work/results"
