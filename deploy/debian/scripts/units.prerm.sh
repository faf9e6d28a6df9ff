#!/bin/sh
# Before the files go. An upgrade stops nothing: the new version restarts what may be restarted.
set -e

units='@UNITS@'

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    # shellcheck disable=SC2086 # a word for each unit
    deb-systemd-invoke stop $units >/dev/null || true
fi
