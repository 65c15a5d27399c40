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

# The freezer of cgroup v1 has the node's jobs and what runs them; without it, jobs know their node's name, and what
# runs them is their parent.
list_processes() {
  local freezer=/sys/fs/cgroup/freezer/slurm_$node pid parent
  if [ -d "$freezer" ]; then
    find "$freezer" -name cgroup.procs -exec cat {} +
    return
  fi
  for pid in $(grep -lzs "^SLURMD_NODENAME=$node$" /proc/[0-9]*/environ | cut -d / -f 3); do
    parent=$(ps -o ppid= -p "$pid" | tr -d ' ')
    [ "$(ps -o comm= -p "${parent:-0}")" != slurmstepd ] || echo "$parent"
    echo "$pid"
  done
}

list_processes 2>/dev/null | sort -u | xargs -r kill -9 2>/dev/null || true # some have gone already
