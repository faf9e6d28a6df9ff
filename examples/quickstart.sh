#!/bin/sh
# From alert to PCAP on this machine: builds pcapx, records, starts listener and fileserver on loopback, posts an alert,
# downloads what the link names and shows it.
#
# What is recorded is real where the machine lets a user have a network of its own (unshare): there pcapx-recorder records
# the loopback while curl fetches a page from a web server, and the alert is about that. Elsewhere the recorded sample is the
# rolling capture and the alert is examples/alert.json. It says which.
#
# usage: quickstart.sh [--once] [--sample] [--profile NAME]
#   --once          end after the check: 0 when all packets of the alert arrived, 1 when not
#   --sample        take the sample in any case
#   --profile NAME  cargo's build profile (default: release)
#
# Without --once everything goes on until Ctrl-C. Needs Rust, a C compiler and curl; no root, nothing of ntop's.
# Ports are free ones, files are in a folder of its own below $TMPDIR, and nothing is left behind.
set -eu

once=no
sample=no
profile=release
while [ $# -gt 0 ]; do
    case $1 in
    --once) once=yes ;;
    --sample) sample=yes ;;
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
cargo build --locked --profile "$profile" --target-dir "$target" \
    -p pcapx-listener -p pcapx-fileserver -p pcapx-extract -p pcapx-recorder
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

# write_live: what runs in a network of its own. It prints what the alert has to know and goes on until it is ended.
write_live() {
    cat >"$work/live.sh" <<'SH'
set -eu
work=$1 bin=$2 token=$3
running=
leave() {
    trap - EXIT INT TERM
    for pid in $running; do kill "$pid" 2>/dev/null || true; done
    for pid in $running; do wait "$pid" 2>/dev/null || true; done
}
trap leave EXIT
trap 'exit 0' INT TERM
# wait_for PID FILE PATTERN
wait_for() {
    tries=0
    until grep -q "$3" "$2" 2>/dev/null; do
        kill -0 "$1" 2>/dev/null || exit 1
        tries=$((tries + 1))
        [ "$tries" -le 100 ] || exit 1
        sleep 0.1
    done
}
"$bin/pcapx-recorder" -i lo --link-up -o "$work/rolling" -A "$work/rolling" -I -s 0 -d -b 64 -p 16 -6 64 \
    2>"$work/pcapx-recorder.log" &
running="$running $!"
wait_for $! "$work/pcapx-recorder.log" ' recording lo '
# The file server is as good a web server as any.
"$bin/pcapx-fileserver" --config "$work/web.json" >"$work/web.out" 2>"$work/web.log" &
running="$running $!"
wait_for $! "$work/web.out" 'listening on'
port=$(sed -n 's/.* listening on .*:\([0-9]*\)$/\1/p' "$work/web.out")
get() { curl --silent --noproxy '*' --max-time 10 --interface 127.0.0.10 -o /dev/null "http://127.0.0.20:$port/$token.txt"; }
get || exit 1
echo "$port" >"$work/live.new"
mv "$work/live.new" "$work/live.port"
# Something to ask for later.
while sleep 2; do get || true; done
SH
}

# start_live: records traffic of this moment; not possible is no failure.
start_live() {
    command -v unshare >/dev/null || { why="unshare is not installed"; return 1; }
    why=$(unshare --user --map-root-user --net true 2>&1) || return 1
    mkdir "$work/rolling" "$work/www"
    token=token-$$-$(date +%s)
    echo "the page $token" >"$work/www/$token.txt"
    cat >"$work/web.json" <<JSON
{
  "host": "127.0.0.20", "bind_address": "127.0.0.20", "listen_port": 0, "fileserver_port": 0,
  "timeline_dir": "$quoted/rolling", "output_dir": "$quoted/www",
  "default_filter": "full", "default_before": 360, "default_after": 360
}
JSON
    write_live
    unshare --user --map-root-user --net sh "$work/live.sh" "$work" "$bin" "$token" >"$work/live.log" 2>&1 &
    live=$!
    tries=0
    until [ -e "$work/live.port" ]; do
        tries=$((tries + 1))
        if ! kill -0 "$live" 2>/dev/null || [ "$tries" -gt 250 ]; then
            kill "$live" 2>/dev/null || true
            wait "$live" 2>/dev/null || true
            why=$(cat "$work/live.log" "$work/pcapx-recorder.log" 2>/dev/null | tail -n 1)
            rm -rf "$work/rolling" "$work/www"
            return 1
        fi
        sleep 0.1
    done
    started="$started $live"
}

say "2. Recording"
quoted=$(printf '%s' "$work" | sed 's/[\\"]/\\&/g')
mkdir "$work/alerts"
mode=sample
why="it was asked for"
if [ "$sample" = no ] && start_live; then mode=live; fi
if [ "$mode" = live ]; then
    echo "live: pcapx-recorder records the loopback of a network of its own, where 127.0.0.10 fetches a page from 127.0.0.20"
    alert=$work/alert.json
    now=$(date +%s)
    cat >"$alert" <<JSON
{
  "id": "quickstart",
  "name": "A page was fetched",
  "clientIp": "127.0.0.10",
  "serverIp": "127.0.0.20",
  "serverPort": $(cat "$work/live.port"),
  "protocolName": "tcp",
  "unixTimestamp": $((now + 1))
}
JSON
    query='/extract?filter=full&before=60&after=0'
else
    cp -R examples/sample/rolling "$work/rolling"
    echo "the recorded sample instead of live traffic: ${why:-no network of its own to be had}"
    alert=examples/alert.json
    query='/extract?filter=full&before=60&after=60'
fi

say "3. Starting both services"
write_config 0
start pcapx-fileserver
write_config "$port"
start pcapx-listener
listener=http://127.0.0.1:$port
# The alert's window ends a second after the page was fetched, and a second later its packets can be found.
if [ "$mode" = live ]; then while [ "$(date +%s)" -lt $((now + 3)) ]; do sleep 0.2; done; fi

say "4. Posting $alert"
cat "$alert"
answer=$(fetch -D "$work/headers" -H 'Content-Type: application/json' --data-binary @"$alert" "$listener$query") ||
    fail "the listener did not answer"
case $answer in
http://127.0.0.1:*.pcap) ;;
*) fail "the answer is no link: $answer" ;;
esac
tr -d '\r' <"$work/headers" | grep -qix "X-Result: $answer" || fail "the header X-Result differs from the answer"
echo "answer: $answer"

say "5. Downloading"
pcap=$work/${answer##*/}
fetch --fail -o "$pcap" "$answer" || fail "the link does not work"
packets=$("$bin/pcapx-extract" -a "$pcap" --print 1000000 2>"$work/pcapx-extract.log" | wc -l)
echo "${answer##*/}: $((packets)) packets"

say "6. The first of them"
if command -v tcpdump >/dev/null; then
    tcpdump -n -tttt -c 10 -r "$pcap" 2>/dev/null
elif command -v tshark >/dev/null; then
    tshark -n -c 10 -r "$pcap" 2>/dev/null
else
    "$bin/pcapx-extract" -a "$pcap" --print 10 2>/dev/null
fi

if [ "$mode" = live ]; then
    # From the connection's first packet to the page itself.
    for part in "GET /$token.txt" "the page $token"; do
        grep -aq "$part" "$pcap" || fail "of the $packets packets that arrived none has \"$part\""
    done
    say "Live: the request and the page are among the $((packets)) packets that arrived."
else
    # The number was counted by tcpdump when the sample was recorded.
    expected=$(cat examples/sample/alert-packets)
    [ "$packets" -eq "$expected" ] || fail "$packets packets arrived, the alert has $expected"
    say "Sample: all $expected packets of the alert arrived."
fi
[ "$once" = no ] || exit 0

if [ "$mode" = live ]; then
    cat <<TEXT
Everything goes on until Ctrl-C; a page is fetched every two seconds. Try, for example:
  curl -d '{"clientIp": "127.0.0.10", "unixTimestamp": '\$(date +%s)'}' '$listener/extract?filter=client&before=30&after=0'
  curl $listener/
TEXT
else
    cat <<TEXT
Both services go on until Ctrl-C. Try, for example:
  curl -d @examples/alert.json '$listener/extract?filter=client'
  curl -d '{"clientIp": "2001:db8::10", "unixTimestamp": $(sed -n 's/.*"unixTimestamp": \([0-9]*\).*/\1/p' examples/alert.json)}' $listener/
  curl $listener/
TEXT
fi
# A signal ends the waiting; so does the end of either service.
trap 'exit 0' INT TERM
while sleep 1; do
    for pid in $started; do kill -0 "$pid" 2>/dev/null || fail "a service ended by itself"; done
done
