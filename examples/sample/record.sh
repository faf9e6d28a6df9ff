#!/bin/sh
# Records examples/sample/rolling anew: real TCP, TLS, DNS, ICMP, ARP and neighbour discovery, IPv4 and
# IPv6, untagged and in VLAN 20, between three hosts that are network namespaces of this machine.
#
#   client 10.0.0.10  2001:db8::10 ─┐
#                                   ├─ bridge "tap" ── server 10.0.0.20  2001:db8::20   https, http, dns
#   other  10.0.0.11  2001:db8::5  ─┘     │
#   VLAN 20: 10.0.20.10 → 10.0.20.20      └─ tcpdump on the server's port, one file each SEGMENT_SECONDS
#
# usage: record.sh [SEGMENT_SECONDS]      four segments; 60 seconds each unless said otherwise
#
# Run it as root. It works in network, mount and process namespaces of its own and leaves nothing of them
# behind. (A user namespace would do but for tcpdump, which insists on changing its groups.) Needs tcpdump, iproute2, ethtool, python3, openssl, curl, dnsmasq and util-linux.
# Ends by writing the matching ../alert.json, and into alert-packets how many packets that alert has within 60
# seconds before and after, as tcpdump counts them.
set -eu

segment_seconds=${1:-60}
segments=4
here=$(cd "$(dirname "$0")" && pwd)

for tool in tcpdump ip ethtool python3 openssl curl dnsmasq unshare timeout; do
    command -v "$tool" >/dev/null || { echo "record.sh: $tool is needed and not installed" >&2; exit 1; }
done

[ "$(id -u)" -eq 0 ] || { echo "record.sh: run it as root; it works in namespaces of its own" >&2; exit 1; }

if [ "${RECORD_INSIDE:-}" != yes ]; then
    # The process namespace ends every service together with this script, the timeout ends the script.
    exec timeout $((segment_seconds * segments + 60)) \
        env RECORD_INSIDE=yes unshare --net --mount --pid --fork --kill-child --mount-proc \
        sh "$here/record.sh" "$segment_seconds"
fi

work=$(mktemp -d)
number=0
finished=no
leave() {
    rm -rf "$work"
    [ "$finished" = yes ] || echo "record.sh: stopped in round $number" >&2
}
trap leave EXIT
mount -t tmpfs tmpfs /run # `ip netns` keeps its names there

# --- three hosts on a bridge -----------------------------------------------------------------------
ip link set lo up
ip link add tap type bridge
ip link set tap up
add_host() { # NAME IPV4 IPV6
    ip netns add "$1"
    ip link add "port-$1" type veth peer name eth0 netns "$1"
    ip link set "port-$1" master tap up
    ip -n "$1" link set lo up
    ip -n "$1" addr add "$2/24" dev eth0
    ip -n "$1" addr add "$3/64" dev eth0 nodad
    ip -n "$1" link set eth0 up
    # Packets as a wire would carry them: real checksums, no oversized segments.
    for offload in tx rx tso gso gro; do
        ip netns exec "$1" ethtool -K eth0 "$offload" off >/dev/null 2>&1 || true
        ethtool -K "port-$1" "$offload" off >/dev/null 2>&1 || true
    done
}

# The hosts' VLAN 20: a tap device and a process that tags its frames on the way to eth0. Kernels without
# 802.1Q record the same sample this way.
cat >"$work/vlan.py" <<'PY'
"""Joins the new tap device vlan20 to eth0: frames leave with the 802.1Q tag 20, frames that come with it arrive."""
import contextlib, fcntl, os, select, socket, struct

TAG, ALL_PROTOCOLS, SOL_PACKET, PACKET_AUXDATA, TAG_VALID = 20, 3, 263, 8, 1 << 4
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"vlan20", 0x0002 | 0x1000))  # TUNSETIFF: TAP, no extra header
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
wire.bind(("eth0", ALL_PROTOCOLS))
wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
while True:
    for ready in select.select([tap, wire], [], [])[0]:
        if ready == tap:
            frame = os.read(tap, 2048)
            wire.send(frame[:12] + struct.pack(">HH", 0x8100, TAG) + frame[12:])
            continue
        frame, notes, _, sender = wire.recvmsg(2048, 256)
        for level, kind, data in notes:
            status, *_, tci, _ = struct.unpack("=IIIHHHH", data[:20])
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and status & TAG_VALID and tci & 0xFFF == TAG:
                if sender[2] != socket.PACKET_OUTGOING:
                    with contextlib.suppress(OSError):  # the device is not up yet: lost, as on a pulled cable
                        os.write(tap, frame)
PY
add_vlan() { # NAME IPV4 IPV6
    ip netns exec "$1" python3 "$work/vlan.py" &
    until ip -n "$1" link show vlan20 >/dev/null 2>&1; do :; done
    ip -n "$1" addr add "$2/24" dev vlan20
    ip -n "$1" addr add "$3/64" dev vlan20 nodad
    ip -n "$1" link set vlan20 mtu 1496 up
}
add_host client 10.0.0.10 2001:db8::10
add_host other 10.0.0.11 2001:db8::5
add_host server 10.0.0.20 2001:db8::20
add_vlan client 10.0.20.10 2001:db8:20::10
add_vlan server 10.0.20.20 2001:db8:20::20

# --- the server's services -------------------------------------------------------------------------
mkdir "$work/www"
head -c 1500 /dev/urandom | base64 >"$work/www/update.txt"
echo "pcapx sample" >"$work/www/index.html"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=www.example.test \
    -addext "subjectAltName=DNS:www.example.test" -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null

cat >"$work/web.py" <<'PY'
"""Serves the folder WWW over HTTP on port 80 and, with the certificate given, over TLS on port 443."""
import functools, http.server, socket, ssl, sys, threading

www, cert, key = sys.argv[1:]

class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

class DualStack(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # with IPV6_V6ONLY off it takes IPv4, too

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

handler = functools.partial(Handler, directory=www)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
https = DualStack(("::", 443), handler)
https.socket = context.wrap_socket(https.socket, server_side=True)
threading.Thread(target=https.serve_forever, daemon=True).start()
DualStack(("::", 80), handler).serve_forever()
PY
ip netns exec server python3 "$work/web.py" "$work/www" "$work/cert.pem" "$work/key.pem" &
ip netns exec server dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --log-facility=- \
    --host-record=www.example.test,10.0.0.20,2001:db8::20 --txt-record=long.example.test,"$(head -c 180 /dev/urandom | base64 -w0)" \
    2>/dev/null &

cat >"$work/ask.py" <<'PY'
"""Asks the DNS server SERVER for NAME and TYPE over udp or tcp, waits at most two seconds, prints the answer's length."""
import random, socket, struct, sys

server, name, qtype, transport = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
query = struct.pack(">HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0) + question + struct.pack(">HH", qtype, 1)
family = socket.AF_INET6 if ":" in server else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM) as s:
    s.settimeout(2)
    s.connect((server, 53))
    s.sendall(struct.pack(">H", len(query)) + query if transport == "tcp" else query)
    print(len(s.recv(4096)))
PY

cat >"$work/ping.py" <<'PY'
"""Sends two echo requests to HOST, 0.3 s apart, and waits at most two seconds for each answer."""
import ipaddress, os, socket, struct, sys, time

host = sys.argv[1]
six = ipaddress.ip_address(host).version == 6
protocol, request, reply = (socket.IPPROTO_ICMPV6, 128, 129) if six else (socket.IPPROTO_ICMP, 8, 0)
family = socket.AF_INET6 if six else socket.AF_INET

def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF

with socket.socket(family, socket.SOCK_RAW, protocol) as s:
    s.settimeout(2)
    for sequence in (1, 2):
        body = struct.pack(">HH", os.getpid() & 0xFFFF, sequence) + bytes(range(48))
        header = struct.pack(">BBH", request, 0, 0)  # ICMPv6: the kernel fills the checksum in
        if not six:
            header = struct.pack(">BBH", request, 0, checksum(header + body))
        s.sendto(header + body, (host, 0))
        while True:
            answer = s.recv(4096)
            answer = answer if six else answer[20:]
            if answer[0] == reply and answer[4:] == body:
                break
        time.sleep(0.3)
PY

deadline=$(($(date +%s) + 10))
until ip netns exec server python3 "$work/ask.py" 127.0.0.1 www.example.test 1 udp >/dev/null 2>&1 &&
    ip netns exec server curl -sk -o /dev/null https://127.0.0.1/; do
    [ "$(date +%s)" -lt "$deadline" ] || { echo "record.sh: the services did not start" >&2; exit 1; }
done

# --- the recorder -------------------------------------------------------------------------------------
mkdir "$work/raw"
ethtool -K tap tx off >/dev/null 2>&1 || true
tcpdump -i port-server -s 1536 -U -Z root -G "$segment_seconds" -w "$work/raw/%s.pcap" 2>"$work/tcpdump.log" &
recorder=$!
until grep -q "listening on" "$work/tcpdump.log"; do
    [ "$(date +%s)" -lt "$deadline" ] || { cat "$work/tcpdump.log" >&2; exit 1; }
done

# --- traffic: each step is one real client; a failing one fails the recording ---------------------------
on() { host=$1; shift; ip netns exec "$host" "$@" >/dev/null; }
fetch() { on "$1" curl -sk --max-time 5 -o /dev/null "$2"; }
ask() { host=$1; shift; on "$host" python3 "$work/ask.py" "$@"; }
round() {
    case $(($1 % 6)) in
    0) ask client 10.0.0.20 www.example.test 1 udp; fetch client https://10.0.0.20/update.txt ;;
    1) ask client 2001:db8::20 www.example.test 28 udp; fetch client "https://[2001:db8::20]/" ;;
    2) fetch other http://10.0.0.20/; ask other 10.0.0.20 long.example.test 16 tcp ;;
    3) fetch client http://10.0.20.20/update.txt; ask client 2001:db8:20::20 www.example.test 28 udp ;;
    4) on client python3 "$work/ping.py" 10.0.0.20; on other python3 "$work/ping.py" 2001:db8::20 ;;
    5) fetch other "https://[2001:db8::20]/"; fetch client https://10.0.20.20/ ;;
    esac
}
start=$(date +%s)
end=$((start + segment_seconds * segments - 2))
while [ "$(date +%s)" -lt "$end" ]; do
    round "$number"
    number=$((number + 1))
    sleep $((segment_seconds / 10 + 1))
done
kill "$recorder"
wait "$recorder" || true

# --- n2disk's names: <epoch.usec>/<epoch.usec>.pcap, after the first packet -----------------------------
rm -rf "$here/rolling"
first_time() { tcpdump -tt -n -c 1 -r "$1" 2>/dev/null | cut -d' ' -f1; }
folder=
for raw in "$work"/raw/*.pcap; do
    stamp=$(first_time "$raw")
    [ -n "$stamp" ] || continue
    folder=${folder:-$stamp}
    mkdir -p "$here/rolling/$folder"
    cp "$raw" "$here/rolling/$folder/$stamp.pcap"
done

middle=$(((start + end) / 2))
cat >"$here/../alert.json" <<JSON
{
  "id": "alert_12345",
  "name": "Suspicious traffic",
  "clientIp": "10.0.0.10",
  "serverIp": "10.0.0.20",
  "serverPort": 443,
  "protocolName": "tcp",
  "unixTimestamp": $middle
}
JSON
for segment in "$here/rolling/$folder"/*.pcap; do
    tcpdump -tt -n -r "$segment" "tcp and host 10.0.0.10 and host 10.0.0.20 and port 443" 2>/dev/null
done | awk -v middle="$middle" '$1 >= middle - 60 && $1 <= middle + 60 { count++ } END { print count + 0 }' >"$here/alert-packets"
du -sh "$here/rolling"
find "$here/rolling" -name '*.pcap' | sort
finished=yes
