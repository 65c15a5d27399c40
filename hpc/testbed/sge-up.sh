#!/usr/bin/env bash
# Grid Engine with one host of 8 slots, in a network namespace `sge` of its own, on one Debian 12 machine as root,
# without systemd. Idempotent. Its commands run by `sge-run.sh COMMAND...`.
#   APT=0           install nothing
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/daemons.sh"

host=$(hostname -s)
[ "$(id -u)" = 0 ] || die "run as root"

install_sge() {
  command -v sge_qmaster >/dev/null && return
  for package in gridengine-master gridengine-common gridengine-client; do
    echo "$package shared/gridenginemaster string $host"
    echo "$package shared/gridenginecell string default"
    echo "$package shared/gridengineconfig boolean true"
  done | debconf-set-selections
  # the packages would start daemons that listen to the network
  local policy=/usr/sbin/policy-rc.d had_policy=1
  [ -e $policy ] || { had_policy=0; printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; }
  install_packages gridengine-master gridengine-exec gridengine-client iproute2
  [ $had_policy = 1 ] || rm -f $policy
}

make_namespace() {
  ip netns list | grep -qw sge || ip netns add sge
  ip -n sge link set lo up
  ip -n sge addr show dev lo | grep -q 10.77.0.2 || ip -n sge addr add 10.77.0.2/32 dev lo
  mkdir -p /etc/netns/sge
  printf '127.0.0.1 localhost\n10.77.0.2 %s\n' "$host" >/etc/netns/sge/hosts
}

sge() { "$here/sge-run.sh" "$@" 9>&-; }


start_master() {
  echo "$host" >/var/lib/gridengine/default/common/act_qmaster
  sge qconf -sh >/dev/null 2>&1 || sge sge_qmaster
  wait_for 20 sge qconf -sh || die "sge_qmaster does not answer"
}

# configure LIST ADD NAME: adds the object on stdin unless it is in the list.
configure() {
  local file
  file=$(mktemp) && cat >"$file"
  sge qconf "$1" 2>/dev/null | grep -qx "$3" || sge qconf "$2" "$file" >/dev/null
  rm -f "$file"
}

configure_cluster() {
  sge qconf -ss 2>/dev/null | grep -qx "$host" || sge qconf -as "$host" >/dev/null
  printf '%s NONE\n' load_scaling complex_values user_lists xuser_lists projects xprojects usage_scaling \
    report_variables | sed "1i hostname $host" | configure -sel -Ae "$host"
  configure -spl -Ap smp <<CONF
pe_name            smp
slots              999
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    \$pe_slots
control_slaves     FALSE
job_is_first_task  TRUE
urgency_slots      min
accounting_summary FALSE
qsort_args         NONE
CONF
  { cat <<CONF
qname              all.q
hostlist           $host
seq_no             0
nsuspend           1
suspend_interval   00:05:00
priority           0
min_cpu_interval   00:00:10
processors         UNDEFINED
qtype              BATCH INTERACTIVE
pe_list            smp
rerun              FALSE
slots              8
tmpdir             /tmp
shell              /bin/bash
shell_start_mode   unix_behavior
notify             00:00:10
initial_state      default
CONF
    printf '%s NONE\n' load_thresholds suspend_thresholds ckpt_list prolog epilog starter_method suspend_method \
      resume_method terminate_method owner_list user_lists xuser_lists subordinate_list complex_values projects \
      xprojects calendar
    printf '%s INFINITY\n' {s,h}_{rt,cpu,fsize,data,stack,core,rss,vmem}
  } | configure -sql -Aq all.q
}

# Dispatch at once, and let root submit.
hurry() {
  local folder
  folder=$(mktemp -d)
  sge qconf -ssconf | sed -e 's/^schedule_interval .*/schedule_interval 0:0:2/' \
    -e 's/^flush_submit_sec .*/flush_submit_sec 1/' -e 's/^flush_finish_sec .*/flush_finish_sec 1/' >"$folder/scheduler"
  sge qconf -Msconf "$folder/scheduler" >/dev/null
  sge qconf -sconf | sed -e 's/^min_uid .*/min_uid 0/' -e 's/^min_gid .*/min_gid 0/' >"$folder/global"
  sge qconf -Mconf "$folder/global" >/dev/null
  rm -r "$folder"
}

host_reports() { [ "$(sge qhost -h "$host" | awk 'END {print $7}')" != - ]; }

start_host() {
  ip netns pids sge | xargs -r ps -o comm= -p | grep -qx sge_execd || sge sge_execd
  wait_for 40 host_reports || die "sge_execd does not report"
}

install_sge
make_namespace
start_master
configure_cluster
hurry
start_host
say "up: $(sge qstat -f | awk '/all.q/ {print $1, $3}')"
