#!/usr/bin/env bash
# `unshare --fork` whose child was killed by SIGKILL says that it cannot unblock the signal, and exits with 1, not 137.
#
# Version: util-linux 2.38.1 (Debian 12).
# Behaviour: with --fork, unshare ends as its child did: it unblocks the signal and sends it to itself. By SIGTERM that
#   works. For SIGKILL it prints "unshare: sigprocmask unblock failed: Invalid argument" on standard error and exits
#   with 1, so whoever waits for it takes a killed program for one that failed, and users see a line about signals when a
#   lab in namespaces is interrupted. Stop unshare, kill its child, wait for that, then kill unshare too: nothing is said.
# Seen:
#   SIGTERM: 143
#   SIGKILL: 1, unshare: sigprocmask unblock failed: Invalid argument
# Needs root (a process namespace of its own).
set -euo pipefail
fail() { echo "changed: $*"; exit 1; }
# Its child is no process 1, which a SIGTERM would not end.
ended_by() {
    unshare --mount --fork sleep 30 2> "$said" &
    local us=$! code=0
    until child=$(cat "/proc/$us/task/$us/children") && [[ -n $child ]]; do sleep 0.05; done
    sleep 0.2
    kill "-$1" $child
    wait "$us" || code=$?
    echo "SIG$1: $code$(sed 's/^/, /' "$said")"
}
said=$(mktemp); trap 'rm -f "$said"' EXIT
seen=$(ended_by TERM 2> /dev/null)
echo "$seen"
[[ $seen == "SIGTERM: 143" ]] || fail "143 was to be seen"
seen=$(ended_by KILL 2> /dev/null)
echo "$seen"
[[ $seen == "SIGKILL: 1, unshare: sigprocmask unblock failed: Invalid argument" ]] || fail "the message was to be seen"
