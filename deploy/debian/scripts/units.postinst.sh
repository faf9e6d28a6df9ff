#!/bin/sh
# After unpacking: what the package needs besides its files, then its units. Run again it changes nothing.
set -e

units='@UNITS@'
# Those of them that an upgrade restarts, where they run.
restarted='@RESTARTED@'

case $1 in
configure | abort-upgrade | abort-deconfigure | abort-remove) ;;
*) exit 0 ;;
esac

# @OWN@

# Nothing is enabled that the administrator has not enabled: the configuration has to be edited first. What was enabled
# stays so, with links that a new version adds.
for unit in $units; do
    if deb-systemd-helper debian-installed "$unit"; then
        deb-systemd-helper unmask "$unit" >/dev/null || true
        if deb-systemd-helper --quiet was-enabled "$unit"; then
            deb-systemd-helper enable "$unit" >/dev/null || true
        fi
    fi
    deb-systemd-helper update-state "$unit" >/dev/null || true
done
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    if [ "$1" = configure ] && [ -n "$2" ]; then
        for unit in $restarted; do
            # Asked here: deb-systemd-invoke starts what is enabled and was stopped by hand.
            if systemctl --quiet is-active "$unit"; then deb-systemd-invoke restart "$unit" >/dev/null || true; fi
        done
    fi
fi
