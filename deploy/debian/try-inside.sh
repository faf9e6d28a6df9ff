#!/bin/sh
# The part of try.sh that runs inside its namespaces, which end whatever is started here.
#
# usage: try-inside.sh ROOT VERSION
set -eu

root=$1 version=$2
mount -t proc proc "$root/proc"
ip link set lo up
step() { printf '\n== %s\n' "$*"; }
fail() {
    echo "try.sh: $*" >&2
    for log in "$root"/packages/*.log; do [ ! -e "$log" ] || { echo "--- ${log##*/}"; cat "$log"; } >&2; done
    exit 1
}
is() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
    echo "$1: $3"
}
in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
as() { account=$1 groups=$2; shift 2; in_root setpriv --reuid "$account" --regid "${groups%%,*}" --groups "$groups" "$@"; }
owner() { in_root stat -c '%U:%G %a' "$1"; }
# Every name but those of captures and evidence, dpkg's and ucf's books, logs, and copies of the accounts' files.
names() {
    cd "$root"
    find . -xdev ! -path './proc/*' ! -path './packages/*' ! -path './storage*' ! -path './var/lib/dpkg/*' \
        ! -path './var/lib/ucf/*' ! -path './var/cache/*' ! -path './var/log/*' ! -path './etc/*-' | sort
    cd /
}
sums() { (cd "$root/storage/pcaps" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum); }
enabled() { in_root systemctl is-enabled pcapx-listener pcapx-fileserver pcapx-recorder pcapx.target 2>&1 | paste -sd ' '; }
# wait_for FILE PATTERN
wait_for() {
    tries=0
    until grep -q "$2" "$root/packages/$1" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -le 300 ] || fail "$1 never said '$2'"
        sleep 0.1
    done
}
all='pcapx-common pcapx-listener pcapx-fileserver pcapx-recorder pcapx-extract netflow-replay'

step "install"
mkdir -p "$root/etc/credstore"
names >"$root/packages/before"
in_root sh -c 'dpkg -i /packages/first/*.deb'
is "left unconfigured" "" "$(in_root dpkg --audit)"
is "config.json" "root:pcapx 640" "$(owner /etc/pcapx/config.json)"
is "evidence" "pcapx:pcapx 750" "$(owner /storage/pcaps/alerts)"
is "recording" "pcapx-recorder:ntop 750" "$(owner /storage/pcaps/rolling)"
is "n2disk.conf" "root:root 644" "$(owner /etc/n2disk/n2disk.conf)"
is "enabled" "disabled disabled disabled disabled" "$(enabled)"
in_root sh -c 'dpkg -i /packages/first/*.deb' >/dev/null
is "config.json after installing again" "root:pcapx 640" "$(owner /etc/pcapx/config.json)"

step "versions and checks"
for program in pcapx-listener pcapx-fileserver pcapx-recorder pcapx-extract netflow-replay; do
    is "$program --version" "$program ${version}" "$(in_root "$program" --version)"
done
for page in pcapx-listener.8 pcapx-fileserver.8 pcapx-recorder.8 pcapx-extract.1 netflow-replay.1 pcapx-config.5; do
    [ -s "$root/usr/share/man/man${page##*.}/$page.gz" ] || fail "no page $page"
done
cp -r "$root/packages/sample/." "$root/storage/pcaps/rolling/"
in_root sh -c 'chown -R pcapx-recorder:ntop /storage/pcaps/rolling; chmod -R u=rwX,g=rX,o= /storage/pcaps/rolling'
sed -i 's/192.168.0.109/127.0.0.1/' "$root/etc/pcapx/config.json"
sed -i 's/^-i=.*/-i=lo/' "$root/etc/n2disk/n2disk.conf"
# The unit's state folder.
in_root install -d -o pcapx -g pcapx -m 0750 /var/lib/pcapx
as pcapx pcapx,ntop env STATE_DIRECTORY=/var/lib/pcapx pcapx-listener --config /etc/pcapx/config.json --check
as pcapx pcapx pcapx-fileserver --config /etc/pcapx/config.json --check
record() { # with what the unit gives
    in_root setpriv --reuid pcapx-recorder --regid ntop --clear-groups --inh-caps +net_raw --ambient-caps +net_raw \
        pcapx-recorder /etc/n2disk/n2disk.conf -b 16 "$@"
}
record --check

step "an alert becomes evidence while the loopback is recorded"
record --pid /tmp/recorder.pid >"$root/packages/recorder.log" 2>&1 &
recorder=$!
wait_for recorder.log ' recording lo'
as pcapx pcapx,ntop env STATE_DIRECTORY=/var/lib/pcapx \
    pcapx-listener --config /etc/pcapx/config.json >"$root/packages/listener.log" 2>&1 &
as pcapx pcapx pcapx-fileserver --config /etc/pcapx/config.json >"$root/packages/fileserver.log" 2>&1 &
wait_for listener.log 'listening on'
wait_for fileserver.log 'listening on'
url=$(curl -sS --noproxy '*' --max-time 60 --data-binary "@$root/packages/alert.json" 'http://127.0.0.1:8888/extract?filter=full&before=60&after=60')
echo "$url"
case $url in http://127.0.0.1:8081/*.pcap) ;; *) fail "no link: $url" ;; esac
curl -sS --noproxy '*' --max-time 60 --fail -o "$root/packages/answer.pcap" "$url"
curl -sS --noproxy '*' --max-time 60 --fail -o "$root/packages/answer.json" "${url%.pcap}.json"
is "packets" "$(cat "$root/packages/alert-packets")" "$(sed -n 's/^  "packets": \([0-9]*\),*$/\1/p' "$root/packages/answer.json")"
in_root pcapx-extract -a /packages/answer.pcap --print 2
kill "$(cat "$root/tmp/recorder.pid")"
rm "$root/tmp/recorder.pid"
wait "$recorder" || fail "the recorder ended with $?"
is "recorded files" 1 "$(find "$root/storage/pcaps/rolling" -type f -name '*.pcap' ! -path '*/1795377523.503686/*' | wc -l)"

step "upgrade"
in_root systemctl enable pcapx-listener pcapx-recorder 2>/dev/null
before=$(enabled)
cp "$root/etc/pcapx/config.json" "$root/packages/edited.json"
cp "$root/etc/n2disk/n2disk.conf" "$root/packages/edited.conf"
evidence=$(sums)
in_root sh -c 'dpkg --force-confdef --force-confold -i /packages/next/*.deb'
cmp "$root/etc/pcapx/config.json" "$root/packages/edited.json" || fail "the administrator's config.json was changed"
cmp "$root/etc/n2disk/n2disk.conf" "$root/packages/edited.conf" || fail "the administrator's n2disk.conf was changed"
is "config.json" "root:pcapx 640" "$(owner /etc/pcapx/config.json)"
grep -q '"default_before": 300' "$root/etc/pcapx/config.json.dpkg-dist" || fail "the new config.json is not beside it"
is "enabled" "$before" "$(enabled)"
# shellcheck disable=SC2016,SC2086 # dpkg's variable; a word for each package
is "installed" "$version-2" "$(in_root dpkg-query -W -f '${Version}\n' $all | sort -u)"
# One program was replaced while it ran, and still answers.
is "listener" ok "$(curl -sS --noproxy '*' --max-time 60 http://127.0.0.1:8888/healthz)"

step "remove"
mkdir -p "$root/var/lib/pcapx/index/a"
touch "$root/var/lib/pcapx/index/a/b.pcapx" "$root/etc/credstore/pcapx.listener_auth_pass" "$root/etc/pcapx/pcapx.env"
# shellcheck disable=SC2086 # a word for each package
in_root dpkg -r $all pcapx-dbgsym
is "programs" 0 "$(find "$root/usr/bin" -name 'pcapx-*' | wc -l)"
cmp "$root/etc/pcapx/config.json" "$root/packages/edited.json" || fail "the configuration went with the programs"
is "captures and evidence" "$evidence" "$(sums)"

step "purge"
# shellcheck disable=SC2086 # a word for each package
in_root dpkg -P $all
names >"$root/packages/after"
is "left besides captures, evidence and accounts" "" "$(diff "$root/packages/before" "$root/packages/after" | sed -n 's/^[<>] //p')"
is "captures and evidence" "$evidence" "$(sums)"

step "where n2disk is"
mkdir -p "$root/etc/n2disk"
echo '-i=eth7' >"$root/etc/n2disk/n2disk.conf"
in_root sh -c 'dpkg -i /packages/next/pcapx-common_*.deb /packages/next/pcapx-recorder_*.deb' >/dev/null
in_root dpkg -P pcapx-recorder pcapx-common
is "n2disk.conf" "-i=eth7" "$(cat "$root/etc/n2disk/n2disk.conf")"

echo "inside: all well"
