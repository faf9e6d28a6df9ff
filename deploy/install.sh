#!/bin/sh
# Installs pcapx on this machine, or into a staging folder, or takes it away again. See usage() below.
set -eu

usage() {
    cat <<'TEXT'
usage: deploy/install.sh [--root DIR] [--bin-dir DIR] [--npcapextract] [--uninstall]

Puts the five binaries into /usr/bin, units, sysusers and tmpfiles below /usr/lib, manual pages, completions and
the shipped files below /usr/share and, where there is none yet, the configuration into /etc/pcapx and the
recorder's into /etc/n2disk. deploy/files lists them; the Debian packages are made of the same list. Run as root; running it again installs the newer binaries and keeps the configuration. Nothing is
enabled. Build first: cargo build --release --workspace

  --root DIR       stage below DIR: needs no root, touches no account, owner or service. The staged config.json
                   points at folders below DIR, so the tree runs where it stands; a package takes the shipped
                   one from DIR/usr/share/pcapx
  --bin-dir DIR    where the built binaries are (default: release/ in $CARGO_TARGET_DIR, else in target/ here)
  --npcapextract   also make /usr/bin/npcapextract a link to pcapx-extract, unless that name is taken
  --uninstall      remove what was installed, and the indexes; captures, evidence, configuration and accounts stay
TEXT
}

here=$(cd "$(dirname "$0")" && pwd)
repository=$(dirname "$here")
root=
bin_dir=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-$repository/target}}/release
link=no
action=install
manual=

fail() { echo "install.sh: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
    case $1 in
    --root | --bin-dir) [ $# -ge 2 ] || fail "$1 needs a folder" ;;
    esac
    case $1 in
    --root) mkdir -p "$2"; root=$(cd "$2" && pwd); shift ;;
    --bin-dir) bin_dir=$2; shift ;;
    --npcapextract) link=yes ;;
    --uninstall) action=uninstall ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
[ "$root" != / ] || root=
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "run as root, or stage with --root DIR"

on_system() { [ -z "$root" ]; }
systemd_runs() { on_system && [ -d /run/systemd/system ]; }
rows() { sed '/^#/d; /^$/d' "$here/files"; } # package, mode, file, target
source_of() {
    case $1 in
    bin/*) echo "$bin_dir/${1#bin/}" ;;
    manual/*) echo "$manual/${1#manual/}" ;;
    *) echo "$repository/$1" ;;
    esac
}
put() { # MODE FILE TARGET
    mkdir -p "$(dirname "$root$3")"
    install -m "$1" "$2" "$root$3"
}

if [ "$action" = uninstall ]; then
    units=$(rows | sed -n 's|.* /usr/lib/systemd/system/||p')
    # shellcheck disable=SC2086 # a word for each unit
    if systemd_runs; then systemctl disable --now $units || true; fi
    rows | while read -r _ _ _ target; do
        case $target in /etc/*) ;; *) rm -f "$root$target" ;; esac
    done
    if [ "$(readlink "$root/usr/bin/npcapextract" 2>/dev/null)" = pcapx-extract ]; then rm "$root/usr/bin/npcapextract"; fi
    rm -rf "$root/usr/share/pcapx" "$root/var/lib/pcapx/index"
    if [ -d "$root/var/lib/pcapx" ]; then rmdir "$root/var/lib/pcapx" || true; fi
    if systemd_runs; then systemctl daemon-reload; fi
    echo "pcapx is removed. Left alone: $root/etc/pcapx, $root/etc/n2disk, captures and evidence in $root/storage, accounts."
    exit 0
fi

for binary in pcapx-manual $(rows | sed -n 's|.* bin/\([^ ]*\) .*|\1|p'); do
    [ -x "$bin_dir/$binary" ] ||
        fail "$bin_dir/$binary is missing; build it: cargo build --release --workspace, or name its folder: --bin-dir"
done
manual=$(mktemp -d)
trap 'rm -rf "$manual"' EXIT
"$bin_dir/pcapx-manual" "$manual" >/dev/null
rows | while read -r _ mode file target; do
    case $target in
    /etc/*) ;; # below
    *) put "$mode" "$(source_of "$file")" "$target" ;;
    esac
done

config=/etc/pcapx/config.json
if [ -e "$root$config" ]; then
    echo "kept: $root$config"
else
    put 640 "$repository/config/config.json" "$config"
    if ! on_system; then
        # /storage/… becomes DIR/storage/…
        prefix=$(printf '%s' "$root" | sed 's/[\\"]/\\&/g; s/[\\&|]/\\&/g')
        sed "s|\"/storage/|\"$prefix/storage/|" "$repository/config/config.json" >"$root$config"
    fi
fi
recorder_config=/etc/n2disk/n2disk.conf
if [ -e "$root$recorder_config" ]; then
    echo "kept: $root$recorder_config"
else
    put 644 "$repository/config/n2disk.conf" "$recorder_config"
    if ! on_system; then
        prefix=$(printf '%s' "$root" | sed 's/[\\&|]/\\&/g')
        sed "s|=/storage/|=$prefix/storage/|" "$repository/config/n2disk.conf" >"$root$recorder_config"
    fi
fi
if ! on_system; then mkdir -p "$root/storage/pcaps/rolling" "$root/storage/pcaps/alerts"; fi

if [ "$link" = yes ]; then
    taken=$(command -v npcapextract || true)
    if [ -e "$root/usr/bin/npcapextract" ] || [ -L "$root/usr/bin/npcapextract" ] || { on_system && [ -n "$taken" ]; }; then
        echo "kept: npcapextract exists already"
    else
        ln -s pcapx-extract "$root/usr/bin/npcapextract"
    fi
fi

if ! on_system; then
    echo "staged below $root; its config.json and n2disk.conf point there, the shipped ones are in usr/share/pcapx"
    exit 0
fi
systemd-sysusers pcapx.conf
systemd-tmpfiles --create pcapx.conf
# The recording belongs to whoever records: a folder that is there already is left as it is.
rolling=/storage/pcaps/rolling
[ -e "$rolling" ] || install -d -o pcapx-recorder -g ntop -m 0750 "$rolling"
if systemd_runs; then systemctl daemon-reload; fi
for old in pcap-listener.service pcap-fileserver.service; do
    if [ -f "/etc/systemd/system/$old" ] && [ ! -L "/etc/systemd/system/$old" ]; then
        echo "the old service is in the way of the name $old: systemctl disable --now $old; rm /etc/systemd/system/$old"
    fi
done
owner=$(stat -c %U "$rolling")
if [ "$owner" != pcapx-recorder ]; then
    echo "$rolling belongs to $owner; before pcapx-recorder records there: chown -R pcapx-recorder:ntop $rolling"
fi
cat <<TEXT
pcapx is installed. Next:
  edit $config (host is the name or address that goes into the links), then check it:
    pcapx-listener --config $config --check
  start:   systemctl enable --now pcapx-listener pcapx-fileserver
  change:  systemctl reload pcapx-listener pcapx-fileserver
  record:  edit $recorder_config (-i is the interface), check it: pcapx-recorder $recorder_config --check
           systemctl enable --now pcapx-recorder
  upgrade: systemctl try-restart pcapx-listener pcapx-fileserver pcapx-recorder
TEXT
