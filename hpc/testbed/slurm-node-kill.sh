#!/usr/bin/env bash
# Crashes one virtual node: SIGKILL to its slurmd and to every process of its jobs. slurmctld calls it down some
# 25 s later (SlurmdTimeout); slurm-up.sh revives it.
#   slurm-node-kill.sh NODE
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/daemons.sh"

node=${1:?usage: slurm-node-kill.sh NODE}
pidfile=/run/slurm/slurmd-$node.pid
is_alive "$pidfile" slurmd || die "no slurmd runs for $node"
kill -9 "$(cat "$pidfile")"

# The node's jobs: their slurmsteps carry its name in their environment, the jobs' processes are in its freezer.
freezer=/sys/fs/cgroup/freezer/slurm_$node
if [ -d "$freezer" ]; then
  find "$freezer" -name cgroup.procs -exec cat {} + 2>/dev/null
else
  grep -lzs "^SLURMD_NODENAME=$node$" /proc/[0-9]*/environ | cut -d / -f 3
fi | sort -u | xargs -r kill -9 2>/dev/null || true
