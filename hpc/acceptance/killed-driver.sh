#!/usr/bin/env bash
# SIGKILL to the driver's job while trials of up to 60 s run: their workers finish them, the next driver takes the
# results, nothing is evaluated twice. Takes some 4 minutes.
#   PYTHON=.venv/bin/python hpc/acceptance/killed-driver.sh [--set KEY=VALUE ...]
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/checks.sh"

study=killed trials=12
has_begun() { [ "$(wc -l <"$study/evaluations")" -ge "$1" ]; }
asktell submit study.yaml --dir "$study" --set "name=$study" --trials "$trials" --set cluster.walltime=15min \
  --set cluster.driver.memory=400MB "$@"
until_true 120 has_begun 4
pgrep -f -- "-m asktell resume $work/$study --hand-over" | xargs kill -9
echo "killed the driver with $(wc -l <"$study/evaluations") trials begun"
asktell resume "$study" >resume.out 2>&1 || { tail -n 20 resume.out; exit 1; }
until_true 60 has_no_jobs "$study"
check "each of the $trials trials was evaluated once" once "$study" "$trials"
check "no process is left" has_no_processes
exit $failed
