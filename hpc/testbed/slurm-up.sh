#!/usr/bin/env bash
# A real SLURM with several virtual nodes on one Debian 12 machine or container, as root, without systemd.
# Idempotent: installs what is missing, starts what is down, revives nodes that were killed; jobs that run stay.
#
#   NODES (4), CPUS (2), MEMORY_MB (4000)   shape of the nodes c1, c2, ...; need not fit the hardware
#   MEMLIMIT=1      jobs are killed at their --mem (needs cgroup v1's memory controller)
#   PBS=1           also qsub, qdel, qstat over the same SLURM, in $PBS_PREFIX/usr/bin: put that first in PATH
#   APT=0           install nothing
#
# Partitions: main (c1, c2, ...); closed (down: its jobs wait for ever); staff (refuses every account but `staff`);
# low and high, on a node `victim` of their own: a job in high preempts those in low, which are queued again.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/daemons.sh"

NODES=${NODES:-4} CPUS=${CPUS:-2} MEMORY_MB=${MEMORY_MB:-4000}
MEMLIMIT=${MEMLIMIT:-0} PBS=${PBS:-0} PBS_PREFIX=${PBS_PREFIX:-/opt/slurm-torque}
CONF=/etc/slurm/slurm.conf
MARK="# written by asktell's hpc/testbed/slurm-up.sh"
host=$(hostname -s)
[ "$(id -u)" = 0 ] || die "run as root"

has_all() { command -v "$@" >/dev/null; }

install_slurm() {
  has_all slurmctld && has_all slurmd && has_all munged && has_all sbatch || install_packages slurm-wlm munge
}

# The PBS front end's package conflicts with Grid Engine's clients, so it is unpacked beside the system.
install_pbs() {
  if ! [ -x "$PBS_PREFIX/usr/bin/qsub" ]; then
    install_packages libslurm-perl libslurmdb-perl libswitch-perl
    local folder
    folder=$(mktemp -d) && chmod 755 "$folder" # apt downloads as a user of its own
    (cd "$folder" && apt-get download -qq slurm-wlm-torque && dpkg -x slurm-wlm-torque_*.deb "$PBS_PREFIX") ||
      die "apt-get download slurm-wlm-torque"
    rm -rf "$folder"
  fi
  # its scripts look for SLURM's commands beside themselves
  for name in sbatch salloc srun scancel squeue scontrol; do
    ln -sf "$(command -v $name)" "$PBS_PREFIX/usr/bin/$name"
  done
  # PBS_JOBID and the like, inside jobs
  mkdir -p /etc/slurm/plugstack.conf.d
  grep -qs plugstack.conf.d /etc/slurm/plugstack.conf ||
    echo 'include /etc/slurm/plugstack.conf.d/*.conf' >>/etc/slurm/plugstack.conf
  echo 'optional spank_pbs.so' >/etc/slurm/plugstack.conf.d/pbs.conf
}

# The daemons and srun listen on the address of the host's name: it has to be loopback's.
check_host_name() {
  getent ahostsv4 "$host" >/dev/null || echo "127.0.0.1 $host" >>/etc/hosts
  case $(getent ahostsv4 "$host" | awk 'NR == 1 {print $1}') in
    127.*) ;;
    *) die "$host does not resolve to 127.x: the testbed would listen to the network; see /etc/hosts" ;;
  esac
}

munge_answers() { munge -n </dev/null | unmunge; }

start_munge() {
  munge_answers >/dev/null 2>&1 && return
  mkdir -p /run/munge /var/log/munge /var/lib/munge /etc/munge
  [ -s /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=128 count=1 status=none
  chown munge: /run/munge /var/log/munge /var/lib/munge /etc/munge /etc/munge/munge.key
  chmod 0755 /run/munge
  chmod 0700 /etc/munge /var/log/munge
  chmod 0600 /etc/munge/munge.key
  runuser -u munge -- "$(command -v munged)" --force 9>&-
  wait_for 10 munge_answers || die "munged does not answer"
}

# The freezer of cgroup v1 tracks every process of a job; without it, what called setsid escapes scancel.
has_freezer() { mountpoint -q /sys/fs/cgroup/freezer && [ -w /sys/fs/cgroup/freezer ]; }

print_cgroup_conf() {
  cat <<CONF
$MARK
CgroupPlugin=cgroup/v1
CgroupAutomount=no
ConstrainRAMSpace=$([ "$MEMLIMIT" = 1 ] && echo yes || echo no)
CONF
}

# Accounts without slurmdbd.
print_job_submit() {
  cat <<LUA
function slurm_job_submit(job, partitions, user)
  if job.partition == "staff" and job.account ~= "staff" then
    return slurm.ESLURM_INVALID_ACCOUNT
  end
  return slurm.SUCCESS
end
function slurm_job_modify(job, old, partitions, user)
  return slurm.SUCCESS
end
LUA
}

print_slurm_conf() {
  local proctrack=pgid task=none
  if has_freezer; then
    proctrack=cgroup
    [ "$MEMLIMIT" = 1 ] && task=cgroup
  fi
  cat <<CONF
$MARK
ClusterName=testbed
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=cred_expire=10
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdPidFile=/run/slurm/slurmd-%n.pid
SlurmdLogFile=/var/log/slurm/slurmd-%n.log
SlurmdSpoolDir=/var/lib/slurm/slurmd/%n
# nodes have the CPUs and the memory that stand below, whatever the machine has
SlurmdParameters=config_overrides
ProctrackType=proctrack/$proctrack
TaskPlugin=task/$task
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=2,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
# sacct -c reads this one
JobCompType=jobcomp/filetxt
JobCompLoc=/var/log/slurm/jobcomp.txt
JobSubmitPlugins=lua
# short, so that tests of killed jobs and nodes are
KillWait=5
SlurmctldTimeout=30
SlurmdTimeout=10
CONF
  local index=0 node
  for node in $nodes; do
    echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((6821 + index++)) CPUs=$CPUS RealMemory=$MEMORY_MB"
  done
  cat <<CONF
PartitionName=DEFAULT Nodes=c[1-$NODES] MaxTime=INFINITE DefaultTime=10 State=UP PreemptMode=OFF PriorityTier=10
PartitionName=main Default=YES
PartitionName=closed State=DOWN
PartitionName=staff
PartitionName=high Nodes=victim
PartitionName=low Nodes=victim PriorityTier=1 PreemptMode=REQUEUE
CONF
}

stop_daemons() {
  local file
  for file in /run/slurm/slurmd-*.pid; do stop_daemon "$file" slurmd; done
  stop_daemon /run/slurm/slurmctld.pid slurmctld
}

write_configuration() {
  [ ! -e $CONF ] || grep -q '^# written by .*slurm-up.sh' $CONF || die "$CONF is not the testbed's"
  mkdir -p /etc/slurm /run/slurm /var/log/slurm /var/lib/slurm/slurmctld
  for node in $nodes; do mkdir -p "/var/lib/slurm/slurmd/$node"; done
  has_freezer && print_cgroup_conf >/etc/slurm/cgroup.conf
  print_job_submit >/etc/slurm/job_submit.lua
  local new=$CONF.new
  print_slurm_conf >"$new"
  if cmp -s "$new" $CONF; then
    rm "$new"
  else
    stop_daemons # jobs that run outlive a restart
    mv "$new" $CONF
    say "wrote $CONF"
  fi
}

controller_answers() { scontrol ping | grep -q 'is UP'; }

# True when all nodes take jobs; those that were killed or drained are brought back on the way.
nodes_are_up() {
  local states
  states=$(sinfo -h -N -o '%N %T' | sort -u)
  awk '$2 ~ /^(down|drain|fail)/ {print $1}' <<<"$states" | while read -r node; do
    scontrol update nodename="$node" state=resume >/dev/null 2>&1 || true
  done
  [ -n "$states" ] && ! grep -qE ' (down|drain|fail|unk)| .*\*$' <<<"$states"
}

start_daemons() {
  is_alive /run/slurm/slurmctld.pid slurmctld || setsid nohup slurmctld </dev/null >/dev/null 2>&1 9>&-
  wait_for 20 controller_answers || { tail -n 20 /var/log/slurm/slurmctld.log >&2; die "slurmctld does not answer"; }
  local node
  for node in $nodes; do
    is_alive "/run/slurm/slurmd-$node.pid" slurmd || setsid nohup slurmd -N "$node" </dev/null >/dev/null 2>&1 9>&-
  done
  wait_for 30 nodes_are_up || { tail -n 5 /var/log/slurm/slurmd-*.log >&2; die "nodes do not come up: $(sinfo -h -N -o '%N=%T')"; }
}

nodes="$(seq -f 'c%g' "$NODES" | tr '\n' ' ')victim"
install_slurm
[ "$PBS" = 1 ] && install_pbs
check_host_name
start_munge
write_configuration
start_daemons
say "up: $(sinfo -h -o '%P %a %D x %c CPUs' | tr '\n' ';')"
