# shellcheck shell=sh
# Indexes can be made again from the recording.
rm -rf /var/lib/pcapx/index
rmdir /var/lib/pcapx 2>/dev/null || true
