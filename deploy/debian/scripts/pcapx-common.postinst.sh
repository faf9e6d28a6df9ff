# shellcheck shell=sh
# The accounts, then the folders that belong to them.
systemd-sysusers pcapx.conf
systemd-tmpfiles --create pcapx.conf || true
