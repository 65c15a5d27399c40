#!/usr/bin/env bash
# Runs a command where the testbed's Grid Engine is: sge-run.sh qstat -f
exec ip netns exec sge env SGE_ROOT=/var/lib/gridengine SGE_CELL=default "$@"
