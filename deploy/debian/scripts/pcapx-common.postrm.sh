# shellcheck shell=sh
# Secrets and certificates of others may stand in the folder: it goes when it is empty.
rm -f /etc/pcapx/pcapx.env /etc/credstore/pcapx.*
rmdir /etc/pcapx 2>/dev/null || true
# The audit log tells who took evidence; like the evidence it stays.
rmdir /var/log/pcapx 2>/dev/null || true
