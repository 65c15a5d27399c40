#!/usr/bin/env bash
# `asktell submit` with a driver walltime of 3 minutes on 8 trials that take longer: the driver has to hand over at
# least twice. Takes some 7 minutes.
#   PYTHON=.venv/bin/python hpc/acceptance/chain.sh [--set KEY=VALUE ...]
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/checks.sh"

study=chain trials=8
asktell submit study.yaml --dir "$study" --set "name=$study" --trials "$trials" \
  --set cluster.jobs=1 --set cluster.walltime=15min \
  --set cluster.driver.walltime=3min --set cluster.driver.warn_before=1min --set cluster.driver.memory=400MB "$@"
until_true 1500 is_in_state "$study" done
until_true 60 has_no_jobs "$study"
links=$(ls "$study"/logs/driver-job-*.log | wc -l)
echo "driver jobs: $links"
check "the driver resubmitted itself at least twice" test "$links" -ge 3
check "each of the $trials trials was evaluated once" once "$study" "$trials"
check "no job is left" has_no_jobs "$study"
check "no process is left" has_no_processes
exit $failed
