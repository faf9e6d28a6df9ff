#!/bin/sh
# After the files have gone.
set -e

units='@UNITS@'

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
fi
# Whether units are enabled is kept until the purge, for the package may come back.
[ "$1" = purge ] || exit 0
if command -v deb-systemd-helper >/dev/null; then
    for unit in $units; do
        deb-systemd-helper purge "$unit" >/dev/null || true
        deb-systemd-helper unmask "$unit" >/dev/null || true
    done
fi

# @OWN@
