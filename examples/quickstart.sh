#!/bin/sh
# From alert to PCAP on this machine: builds pcapx, starts listener and fileserver on loopback with the recorded
# sample as their rolling capture, posts examples/alert.json, downloads what the link names and shows it.
#
# usage: quickstart.sh [--once] [--profile NAME]
#   --once          end after the check: 0 when all packets of the alert arrived, 1 when not
#   --profile NAME  cargo's build profile (default: release)
#
# Without --once both services go on until Ctrl-C. Needs Rust, a C compiler and curl; no root, nothing of ntop's.
# Ports are free ones, files are in a folder of its own below $TMPDIR, and nothing is left behind.
set -eu

once=no
profile=release
while [ $# -gt 0 ]; do
    case $1 in
    --once) once=yes ;;
    --profile) profile=${2:?--profile needs a name}; shift ;;
    *) sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p;}' "$0" >&2; exit 2 ;;
    esac
    shift
done

repository=$(cd "$(dirname "$0")/.." && pwd)
cd "$repository"
# Nothing of the caller's own pcapx, and no proxy, gets in between.
for name in $(env | sed -n 's/^\(PCAPX_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
fetch() { curl --silent --show-error --noproxy '*' --max-time 60 "$@"; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
for tool in cargo curl; do
    command -v "$tool" >/dev/null || { echo "quickstart.sh: $tool is needed and not installed" >&2; exit 1; }
done

say "1. Building ($profile; the first time takes some minutes)"
# Named aloud: a cargo configuration may put the default elsewhere.
target=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-$repository/target}}
cargo build --locked --profile "$profile" --target-dir "$target" -p pcapx-listener -p pcapx-fileserver -p pcapx-extract
case $profile in dev | test) folder=debug ;; *) folder=$profile ;; esac
bin=$target/$folder

work=$(mktemp -d)
started=
leave() {
    status=$?
    trap - EXIT INT TERM
    for pid in $started; do kill "$pid" 2>/dev/null || true; done
    for pid in $started; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
    exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
fail() {
    echo "quickstart.sh: $*" >&2
    for log in "$work"/*.log; do echo "--- $(basename "$log")" >&2; cat "$log" >&2; done
    exit 1
}

# start NAME: runs the service and sets `port` to the one it says it listens on.
start() {
    : >"$work/$1.out" # The job in the background makes it later than it is first looked into.
    "$bin/$1" --config "$work/config.json" >>"$work/$1.out" 2>"$work/$1.log" &
    pid=$!
    started="$started $pid"
    tries=0
    until port=$(sed -n 's/.* listening on .*:\([0-9]*\)$/\1/p' "$work/$1.out") && [ -n "$port" ]; do
        kill -0 "$pid" 2>/dev/null || fail "$1 ended"
        tries=$((tries + 1))
        [ "$tries" -le 100 ] || fail "$1 did not get ready within 10 seconds"
        sleep 0.1
    done
    echo "$1 listens on 127.0.0.1:$port"
}
# write_config FILESERVER_PORT: port 0 is any free one; the listener has to know the one for its links.
write_config() {
    quoted=$(printf '%s' "$work" | sed 's/[\\"]/\\&/g')
    cat >"$work/config.json" <<JSON
{
  "host": "127.0.0.1", "bind_address": "127.0.0.1", "listen_port": 0, "fileserver_port": $1,
  "timeline_dir": "$quoted/rolling", "output_dir": "$quoted/alerts",
  "default_filter": "full", "default_before": 360, "default_after": 360, "extractor": "builtin"
}
JSON
}

say "2. Starting both services"
mkdir "$work/alerts"
cp -R examples/sample/rolling "$work/rolling"
write_config 0
start pcapx-fileserver
write_config "$port"
start pcapx-listener
listener=http://127.0.0.1:$port

say "3. Posting examples/alert.json"
cat examples/alert.json
query='/extract?filter=full&before=60&after=60'
answer=$(fetch -D "$work/headers" -H 'Content-Type: application/json' --data-binary @examples/alert.json "$listener$query") ||
    fail "the listener did not answer"
case $answer in
http://127.0.0.1:*.pcap) ;;
*) fail "the answer is no link: $answer" ;;
esac
tr -d '\r' <"$work/headers" | grep -qix "X-Result: $answer" || fail "the header X-Result differs from the answer"
echo "answer: $answer"

say "4. Downloading"
pcap=$work/${answer##*/}
fetch --fail -o "$pcap" "$answer" || fail "the link does not work"
packets=$("$bin/pcapx-extract" -a "$pcap" --print 1000000 2>"$work/pcapx-extract.log" | wc -l)
expected=$(cat examples/sample/alert-packets)
echo "${answer##*/}: $((packets)) packets"

say "5. The first of them"
if command -v tcpdump >/dev/null; then
    tcpdump -n -tttt -c 10 -r "$pcap" 2>/dev/null
elif command -v tshark >/dev/null; then
    tshark -n -c 10 -r "$pcap" 2>/dev/null
else
    "$bin/pcapx-extract" -a "$pcap" --print 10 2>/dev/null
fi

# The number was counted by tcpdump when the sample was recorded.
[ "$packets" -eq "$expected" ] || fail "$packets packets arrived, the alert has $expected"
say "All $expected packets of the alert arrived."
[ "$once" = no ] || exit 0

cat <<TEXT
Both services go on until Ctrl-C. Try, for example:
  curl -d @examples/alert.json '$listener/extract?filter=client'
  curl -d '{"clientIp": "2001:db8::10", "unixTimestamp": $(sed -n 's/.*"unixTimestamp": \([0-9]*\).*/\1/p' examples/alert.json)}' $listener/
  curl $listener/
TEXT
# A signal ends the waiting; so does the end of either service.
trap 'exit 0' INT TERM
while sleep 1; do
    for pid in $started; do kill -0 "$pid" 2>/dev/null || fail "a service ended by itself"; done
done
