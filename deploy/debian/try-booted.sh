#!/bin/sh
# The part of try.sh that runs as a unit of a booted system: what an upgrade and a removal mean for running services.
#
# usage: try-booted.sh      (/packages has both versions, the sample and the alert)
set -eu

trap 'systemctl --no-block poweroff 2>/dev/null' EXIT
fail() {
    echo "try.sh: booted: $*"
    journalctl --no-pager --lines 60 --unit 'pcapx-*' || true
    exit 1
}
is() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
    echo "$1: $3"
}
states() { systemctl is-active pcapx-listener pcapx-fileserver pcapx-recorder | paste -sd ' '; }
pid() { systemctl show --property MainPID --value "$1"; }
export DEBIAN_FRONTEND=noninteractive

dpkg -i /packages/first/*.deb >/dev/null
is "after installing" "inactive inactive inactive" "$(states)"

cp -r /packages/sample/. /storage/pcaps/rolling/
chown -R pcapx-recorder:ntop /storage/pcaps/rolling
chmod -R u=rwX,g=rX,o= /storage/pcaps/rolling
sed -i 's/192.168.0.109/127.0.0.1/' /etc/pcapx/config.json
sed -i 's/^-i=.*/-i=lo/; s/^-b=.*/-b=16/' /etc/n2disk/n2disk.conf
systemctl enable --now pcapx-listener pcapx-fileserver pcapx-recorder 2>/dev/null || fail "the units do not start"
is "enabled and started" "active active active" "$(states)"

# There is no curl in here, but bash can talk to a port.
ask() { # the alert, to the listener; prints the answer's last line
    bash -c 'exec 3<>/dev/tcp/127.0.0.1/8888
        printf "POST /extract?filter=full&before=60&after=60 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %s\r\n\r\n" "$(wc -c </packages/alert.json)" >&3
        cat /packages/alert.json >&3
        tail -n 1 <&3'
}
link=$(ask)
case $link in http://127.0.0.1:8081/*.pcap) ;; *) fail "no link: $link" ;; esac
packets=$(sed -n 's/^  "packets": \([0-9]*\),*$/\1/p' "/storage/pcaps/alerts/$(basename "$link" .pcap).json")
is "packets" "$(cat /packages/alert-packets)" "$packets"

listener=$(pid pcapx-listener) fileserver=$(pid pcapx-fileserver) recorder=$(pid pcapx-recorder)
systemctl stop pcapx-fileserver
dpkg --force-confdef --force-confold -i /packages/next/*.deb >/dev/null
is "after the upgrade, with the fileserver stopped" "active inactive active" "$(states)"
[ "$(pid pcapx-listener)" != "$listener" ] || fail "the listener still is the old program"
is "the recorder is the same process" "$recorder" "$(pid pcapx-recorder)"
is "the alert again" "$link" "$(ask)"

systemctl start pcapx-fileserver
[ "$(pid pcapx-fileserver)" != "$fileserver" ] || fail "the fileserver was not stopped"
dpkg -r pcapx-listener pcapx-fileserver pcapx-recorder >/dev/null
is "after removing" "inactive inactive inactive" "$(states)"
dpkg -i /packages/next/*.deb >/dev/null
is "enabled, after the packages came back" "enabled enabled enabled" \
    "$(systemctl is-enabled pcapx-listener pcapx-fileserver pcapx-recorder | paste -sd ' ')"
systemctl start pcapx-listener
dpkg -P pcapx-listener pcapx-fileserver pcapx-recorder pcapx-common >/dev/null
is "after purging" "inactive inactive inactive" "$(states)"
is "links of units that are left" "" "$(find /etc/systemd/system -name '*pcap*')"
echo "booted: all well"
