#!/usr/bin/env bash
# Ends everything in the namespace `sge` (daemons and jobs), then the namespace. Idempotent.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/daemons.sh"

has_namespace() { ip netns list | grep -qw sge; }
is_empty() { [ -z "$(ip netns pids sge)" ]; }

has_namespace || exit 0
ip netns pids sge | xargs -r kill
wait_for 5 is_empty || ip netns pids sge | xargs -r kill -9
ip netns del sge
