#!/usr/bin/env bash
# Three unmodified CUDA programs side by side on one software GPU, each on a vGPU of its own, and a fourth that asks for
# more memory than it has. Ends with PASS or FAIL for each; the exit status is 0 only if all passed.
set -euo pipefail
. "$(dirname "$0")/progress.sh"
cd "$ROOT"

begin=$SECONDS
bash Scripts/setup-debian.sh
bash Scripts/setup-python.sh
bash Scripts/build-release.sh

roost=$BUILD/roost/bin/roost
python=$BUILD/venv/bin/python
work=$(mktemp -d "${TMPDIR:-/tmp}/roost-demo.XXXXXX")
export ROOST_STATE_DIR=$work/state PYTHONUNBUFFERED=1
# Compiled kernels of an earlier run would hide whether compiling works.
export CUPY_CACHE_DIR=$work/cupy

# shellcheck disable=SC2317 # the trap calls it
clean_up() {
    local pid
    for pid in "${pids[@]:-}"; do
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    done
    "$roost" down >/dev/null 2>&1 || true
    rm -rf "$work"
}
pids=()
trap clean_up EXIT

say "starting Roost on this machine's software GPU"
"$roost" up >"$work/up.log" 2>&1 || { cat "$work/up.log"; die "roost up failed"; }
"$roost" devices

names=(numba cupy cuda-core out-of-memory)
folders=(01-numba 02-cupy 03-cuda-core 04-out-of-memory)
vram=(512MiB 512MiB 512MiB 256MiB)
compute=(30% 30% 30% 10%)
results=()
seconds=()

say "starting ${#names[@]} programs side by side"
for i in "${!names[@]}"; do
    "$roost" run --name "${names[i]}" --vram "${vram[i]}" --compute "${compute[i]}" -- \
        "$python" "Examples/${folders[i]}/main.py" >"$work/${names[i]}.log" 2>&1 &
    pids[i]=$!
    results[i]=running
done

# Looks at the programs four times a second and shows the table every three seconds while one of them runs.
started=$SECONDS
shown=0
while :; do
    left=0
    for i in "${!names[@]}"; do
        [ "${results[i]}" = running ] || continue
        if kill -0 "${pids[i]}" 2>/dev/null; then
            left=$((left + 1))
            continue
        fi
        status=0
        wait "${pids[i]}" || status=$?
        pids[i]=
        seconds[i]=$((SECONDS - started))
        results[i]=$([ "$status" -eq 0 ] && echo PASS || echo FAIL)
        say "${names[i]} ended with status $status"
    done
    [ "$left" -gt 0 ] || break
    if [ $((SECONDS - started)) -ge 300 ]; then
        for i in "${!names[@]}"; do
            [ -z "${pids[i]}" ] || { say "${names[i]} did not end within 300 s"; kill "${pids[i]}" || true; }
        done
    fi
    if [ $((SECONDS - started)) -ge $((shown * 3)) ]; then
        shown=$((shown + 1))
        say "roost top:"
        "$roost" top --once || true
    fi
    sleep 0.25
done

for name in "${names[@]}"; do
    printf '\n--- %s\n' "$name"
    tail -n 25 "$work/$name.log"
done

printf '\n%-16s %-8s %-8s %-8s %s\n' PROGRAM VRAM COMPUTE SECONDS RESULT
failed=0
for i in "${!names[@]}"; do
    printf '%-16s %-8s %-8s %-8s %s\n' "${names[i]}" "${vram[i]}" "${compute[i]}" "${seconds[i]}" "${results[i]}"
    [ "${results[i]}" = PASS ] || failed=1
done

say "stopping Roost"
"$roost" down
say "the demo took $((SECONDS - begin)) s, set-up included"
exit "$failed"
