# What the testbed's scripts share; sourced, not run. Daemons are known by their PID files only.
PATH=$PATH:/usr/sbin:/sbin

say() { printf '[%s %3ds] %s\n' "$(basename "$0" .sh)" "$SECONDS" "$*"; }
die() { say "FAILED: $*" >&2; exit 1; }

# wait_for SECONDS COMMAND...: true as soon as the command is.
wait_for() {
  local tries=$(($1 * 10)); shift
  until "$@" >/dev/null 2>&1; do
    ((tries-- > 0)) || return 1
    sleep 0.1
  done
}

# is_alive PIDFILE NAME. A zombie (where PID 1 reaps late), or a PID that went to another program, is not alive.
is_alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] &&
    ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null
}
is_gone() { ! is_alive "$@"; }

# stop_daemon PIDFILE NAME: SIGTERM, after 5 s SIGKILL.
stop_daemon() {
  if is_alive "$1" "$2"; then
    kill "$(cat "$1")"
    wait_for 5 is_gone "$1" "$2" || kill -9 "$(cat "$1")"
  fi
  rm -f "$1"
}

# install_packages NAME...: from Debian; with APT=0 a missing one is an error.
install_packages() {
  local log=/tmp/testbed-apt.log
  [ "${APT:-1}" = 1 ] || die "not installed, and APT=0: $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -q --no-install-recommends "$@" >"$log" 2>&1 ||
    { apt-get update -q >>"$log" 2>&1 && apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1; } ||
    { tail -n 20 "$log" >&2; die "apt-get install $*"; }
  say "installed $*"
}

# One script at a time: daemons must not inherit the lock, so start them with 9>&-.
exec 9>/tmp/asktell-testbed.lock
flock -w 60 9 || die "another testbed script holds /tmp/asktell-testbed.lock"
