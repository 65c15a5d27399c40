#!/usr/bin/env bash
# Walltime 2 minutes, 40 trials of 20 to 60 s on 4 jobs, with the runtime model and without: what is lost to walltime,
# and how much of the workers' time went into trials that finished. Takes some 20 minutes.
#   PYTHON=.venv/bin/python hpc/acceptance/walltime.sh [--set KEY=VALUE ...]
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/checks.sh"

for aware in true false; do
  study=aware-$aware
  asktell run study.yaml --dir "$study" --set "name=$study" --set "cluster.walltime_aware=$aware" "$@" >"$study.out" 2>&1 ||
    { tail -n 20 "$study.out"; exit 1; }
  until_true 60 has_no_jobs "$study"
  echo "walltime_aware: $aware"
  "$PYTHON" "$here/figures.py" "$study"
done
check "nothing was lost to walltime after the model's first ten trials" \
  test "$("$PYTHON" "$here/figures.py" aware-true --lost-late)" = 0
exit $failed
