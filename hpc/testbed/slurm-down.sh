#!/usr/bin/env bash
# Cancels every job of the testbed's SLURM and stops its daemons. Idempotent.
#   --purge     also forgets its jobs, nodes and logs
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/daemons.sh"

queue_is_empty() { [ -z "$(squeue -h)" ]; }

if scontrol ping 2>/dev/null | grep -q 'is UP'; then
  squeue -h -o %A | sort -u | xargs -r scancel || true # one may have ended meanwhile
  wait_for 15 queue_is_empty || say "jobs are left: $(squeue -h -o '%A %j %T' | tr '\n' ';')"
fi
for file in /run/slurm/slurmd-*.pid; do stop_daemon "$file" slurmd; done
stop_daemon /run/slurm/slurmctld.pid slurmctld
stop_daemon /run/munge/munged.pid munged
if [ "${1:-}" = --purge ]; then
  rm -rf /var/lib/slurm/slurmctld /var/lib/slurm/slurmd /var/log/slurm /etc/slurm/slurm.conf
fi
