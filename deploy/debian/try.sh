#!/bin/sh
# Tries the Debian packages in a Debian of their own. See usage() below.
set -eu

usage() {
    cat <<'TEXT'
usage: deploy/debian/try.sh [--bin-dir DIR] [--base DIR]

Builds the packages twice, the second time as the next version with another configuration as shipped. Bootstraps
a Debian and in there, in a network of its own: installs them, asks every program for its version and for what
--check says, answers an alert with the packets of examples/sample, records the loopback, upgrades, removes,
purges; and looks what is left each time. Then it boots one, to see what becomes of running services. Needs root,
debootstrap and curl, for booting systemd-nspawn, and says SKIPPED without.

  --bin-dir DIR   built binaries, for build.sh
  --base DIR      a folder that debootstrap has filled (--include=systemd,ucf), to copy instead of bootstrapping
TEXT
}

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
bin_dir=
base=
while [ $# -gt 0 ]; do
    case $1 in
    --bin-dir) bin_dir=${2:?--bin-dir needs a folder}; shift ;;
    --base) base=${2:?--base needs a folder}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done

skip() { echo "SKIPPED: the packages were not tried: $*" >&2; exit 0; }
[ "$(id -u)" -eq 0 ] || skip "this needs root"
for tool in curl ip unshare dpkg-deb; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
done
[ -n "$base" ] || command -v debootstrap >/dev/null || skip "debootstrap is not installed"
unshare --mount --net --pid --fork true 2>/dev/null || skip "there may be no namespaces here"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
step() { printf '\n== %s\n' "$*"; }

step "two versions of the packages"
set --
[ -z "$bin_dir" ] || set -- --bin-dir "$bin_dir"
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$repository/Cargo.toml")
"$here/build.sh" "$@" --out "$work/first" --version "$version-1"
"$here/build.sh" "$@" --out "$work/next" --version "$version-2" >/dev/null
# What was shipped in the next version differs, or keeping a changed file would prove nothing.
dpkg-deb --raw-extract "$work/next/pcapx-common_$version-2_all.deb" "$work/common"
sed -i 's/"default_before": 360/"default_before": 300/' "$work/common/etc/pcapx/config.json"
dpkg-deb --root-owner-group --build "$work/common" "$work/next" >/dev/null

step "a Debian"
root=$work/root
# The release that the packages were built on, where that is a Debian.
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
grep -qx 'ID=debian' /etc/os-release && [ -n "$suite" ] || suite=stable
if [ -n "$base" ]; then
    cp -a "$base" "$root"
elif ! debootstrap --variant=minbase --include=systemd,ucf "$suite" "$root" >"$work/debootstrap.log" 2>&1; then
    tail -3 "$work/debootstrap.log" >&2
    skip "debootstrap could not fetch a Debian"
fi
mkdir -p "$root/packages"
cp -r "$work/first" "$work/next" "$root/packages/"
cp -r "$repository/examples/sample/rolling" "$root/packages/sample"
cp "$repository/examples/alert.json" "$repository/examples/sample/alert-packets" "$root/packages/"
cp -a "$root" "$work/booted"
unshare --mount --net --pid --fork sh "$here/try-inside.sh" "$root" "$version"

step "the same with systemd at work"
if ! command -v systemd-nspawn >/dev/null; then
    echo "SKIPPED: no system was booted: systemd-nspawn is not installed (systemd-container)" >&2
    exit 0
fi
cp "$here/try-booted.sh" "$work/booted/packages/"
cat >"$work/booted/etc/systemd/system/try.service" <<'TEXT'
[Unit]
Description=What try.sh does in a booted system
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /packages/try-booted.sh
StandardOutput=file:/packages/told
StandardError=inherit
TEXT
mkdir -p "$work/booted/etc/systemd/system/multi-user.target.wants"
ln -s ../try.service "$work/booted/etc/systemd/system/multi-user.target.wants/try.service"
if ! timeout 300 systemd-nspawn --directory "$work/booted" --register=no --keep-unit --private-network --boot \
    >"$work/console" 2>&1 && [ ! -e "$work/booted/packages/told" ]; then
    tail -3 "$work/console" >&2
    echo "SKIPPED: no system was booted: systemd-nspawn cannot do it here" >&2
    exit 0
fi
cat "$work/booted/packages/told"
grep -qx "booted: all well" "$work/booted/packages/told" || exit 1
