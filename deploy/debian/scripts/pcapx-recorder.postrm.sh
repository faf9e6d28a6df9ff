# shellcheck shell=sh
# The file of options goes when it came from here; so say ucf's books.
options=/etc/n2disk/n2disk.conf
if command -v ucfq >/dev/null && [ "$(ucfq --with-colons "$options" | cut -d: -f2)" = pcapx-recorder ]; then
    for suffix in '' '~' .bak .ucf-new .ucf-old .ucf-dist; do rm -f "$options$suffix"; done
    ucf --purge "$options"
    ucfr --purge pcapx-recorder "$options"
    rmdir /etc/n2disk 2>/dev/null || true
fi
