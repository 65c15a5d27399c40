# What the acceptance scripts share; sourced. They run in a folder of their own and say what they saw.
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
PYTHON=${PYTHON:-python3}
work=$(mktemp -d "${TMPDIR:-/tmp}/asktell-acceptance.XXXXXX")
cp "$here/study.yaml" "$here/objective.py" "$work"
cd "$work"
echo "in $work"

asktell() { "$PYTHON" -m asktell "$@"; }

# Ids of a study's jobs that have not ended.
jobs_of() { squeue --noheader --format='%A %j' | awk -v name="$1" 'index($2, name) {print $1}'; }

# Processes of this script's studies.
processes() { pgrep -f -- "$work" || true; }

# until_true SECONDS COMMAND...
until_true() {
  local tries=$1; shift
  until "$@" >/dev/null 2>&1; do
    ((tries-- > 0)) || { echo "FAILED: gave up waiting for: $*"; exit 1; }
    sleep 1
  done
}

is_in_state() { asktell status "$1" --json | grep -q "\"state\": \"$2\""; }
has_no_jobs() { [ -z "$(jobs_of "$1")" ]; }
has_no_processes() { [ -z "$(processes)" ]; }

# check TEXT COMMAND...: the command's success is the claim's.
check() {
  local claim=$1; shift
  if "$@"; then echo "ok      $claim"; else echo "FAILED  $claim"; failed=1; fi
}
failed=0

# Each of the study's trials was begun once: `once DIR N`.
once() { [ "$(sort -n "$1/evaluations" | tr '\n' ' ')" = "$(seq 0 $(($2 - 1)) | tr '\n' ' ')" ]; }
