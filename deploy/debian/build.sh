#!/bin/sh
# Builds the Debian packages. See usage() below.
set -eu

usage() {
    cat <<'TEXT'
usage: deploy/debian/build.sh [--bin-dir DIR] [--out DIR] [--version VERSION]

Builds pcapx-common, pcapx-listener, pcapx-fileserver, pcapx-recorder, pcapx-extract, netflow-replay and
pcapx-dbgsym from deploy/files, as any user. Needs dpkg-dev, binutils, and cargo with the crates' sources.

  --bin-dir DIR      built binaries (default: cargo build --release --workspace --locked, and what it makes)
  --out DIR          where the packages go (default: target/debian)
  --version VERSION  default: that of Cargo.toml, with -1

DEBEMAIL and DEBFULLNAME are who answers for the packages; set them to your own.

The same commit and binaries give the same packages, bit for bit: all times are SOURCE_DATE_EPOCH, by default
the commit's. The binaries are the same for the same compiler in the same folder.
TEXT
}

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-$repository/target}}
bin_dir=
out=$target/debian
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$repository/Cargo.toml")-1

fail() { echo "build.sh: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
    case $1 in
    --bin-dir | --out | --version) [ $# -ge 2 ] || fail "$1 needs a value" ;;
    esac
    case $1 in
    --bin-dir) bin_dir=$2; shift ;;
    --out) out=$2; shift ;;
    --version) version=$2; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
for tool in dpkg-deb dpkg-gencontrol dpkg-shlibdeps objcopy strip cargo; do
    command -v "$tool" >/dev/null || fail "$tool is needed (dpkg-dev, binutils, cargo)"
done
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repository" log -1 --format=%ct)} ||
    fail "set SOURCE_DATE_EPOCH, where this is no clone of the repository"
export SOURCE_DATE_EPOCH
if [ -z "$bin_dir" ]; then
    (cd "$repository" && cargo build --release --workspace --locked --target-dir "$target")
    bin_dir=$target/release
fi

umask 022
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
manual=$work/manual
"$bin_dir/pcapx-manual" "$manual" >/dev/null || fail "cannot write the manual; is $bin_dir/pcapx-manual built?"
date=$(date -u -R -d "@$SOURCE_DATE_EPOCH")

# dpkg's tools look for these in debian/ of the working directory.
mkdir "$work/debian"
cp "$here/control" "$work/debian/control"
maintainer=$(sed -n 's/^Maintainer: //p' "$here/control")
if [ -n "${DEBEMAIL:-}" ]; then
    maintainer="${DEBFULLNAME:-The pcapx authors} <$DEBEMAIL>"
    sed -i "s|^Maintainer: .*|Maintainer: $maintainer|" "$work/debian/control"
fi
cat >"$work/debian/changelog" <<TEXT
pcapx ($version) unstable; urgency=medium

  * Packages of this version. What changed for users is in the file changelog.

 -- $maintainer  $date
TEXT
cd "$work"

rows() { sed '/^#/d; /^$/d' "$repository/deploy/files"; } # package, mode, file, target
source_of() {
    case $1 in
    bin/*) echo "$bin_dir/${1#bin/}" ;;
    manual/*) echo "$manual/${1#manual/}" ;;
    *) echo "$repository/$1" ;;
    esac
}
put() { # MODE FILE TARGET
    mkdir -p "$(dirname "$3")"
    install -m "$1" "$2" "$3"
}

# script PACKAGE NAME: the package's maintainer script, made of the one for units and what is its own.
script() {
    units=$(rows | sed -n "s|^$1 .* /usr/lib/systemd/system/||p" | paste -sd ' ')
    [ -n "$units" ] || return 0
    case $1 in
    pcapx-listener | pcapx-fileserver) restarted=$1.service ;;
    *) restarted= ;; # a recording has no gap because of an upgrade
    esac
    own=$here/scripts/$1.$2.sh
    [ -e "$own" ] || own=/dev/null
    [ "$1" != pcapx-common ] || [ "$2" != prerm ] || return 0 # a target that goes stops nothing
    sed -e "s/@UNITS@/$units/; s/@RESTARTED@/$restarted/" -e "/# @OWN@/{
        r $own
        d
    }" "$here/scripts/units.$2.sh" | sed '/^# shellcheck shell=sh$/d' >"$work/$1/DEBIAN/$2"
    chmod 755 "$work/$1/DEBIAN/$2"
}

# pack PACKAGE: what every package has, then the package.
pack() {
    package=$1 tree=$work/$1 doc=$work/$1/usr/share/doc/$1
    mkdir -p "$doc" "$tree/DEBIAN"
    sed -e "/@MIT@/{
        r $work/mit
        d
    }" "$here/copyright" >"$doc/copyright"
    gzip -9nc "$work/debian/changelog" >"$doc/changelog.Debian.gz"
    gzip -9nc "$repository/CHANGELOG.md" >"$doc/changelog.gz"
    put 644 "$here/lintian-overrides" "$tree/usr/share/lintian/overrides/$package"
    for unit in "$tree"/usr/lib/systemd/system/*.service; do
        [ ! -e "$unit" ] || cat "$here/units.lintian-overrides" >>"$tree/usr/share/lintian/overrides/$package"
    done
    [ ! -d "$tree/etc" ] || (cd "$tree" && find etc -type f -printf '/%p\n' | sort) >"$tree/DEBIAN/conffiles"
    for name in postinst prerm postrm; do script "$package" "$name"; done
    : >substvars
    set --
    for binary in "$tree"/usr/bin/*; do [ ! -e "$binary" ] || set -- "$@" "-e$binary"; done
    [ $# -eq 0 ] || dpkg-shlibdeps -Tsubstvars "$@"
    (cd "$tree" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
    chmod 644 "$tree/DEBIAN/md5sums"
    dpkg-gencontrol -p"$package" -P"$tree" -Tsubstvars -ffiles
    find "$tree" -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
    dpkg-deb --root-owner-group -Zxz --build "$tree" "$out" >"$work/told"
    sed "s/.* in '\(.*\)'\.$/\1/" "$work/told"
}

sed 's/^$/./; s/^/ /' "$repository/LICENSE-MIT" >"$work/mit"
rows | while read -r package mode file place; do
    put "$mode" "$(source_of "$file")" "$work/$package$place"
    case $place in
    /usr/share/man/*) gzip -9n "$work/$package$place" ;;
    /usr/bin/*)
        # Symbols go to a package of their own, where debuggers and Rust's backtraces find them by the build's id.
        id=$(readelf -n "$work/$package$place" | sed -n 's/.*Build ID: //p')
        [ -n "$id" ] || fail "$file has no build id"
        rest=${id#??}
        symbols=$work/pcapx-dbgsym/usr/lib/debug/.build-id/${id%"$rest"}/$rest.debug
        mkdir -p "$(dirname "$symbols")"
        objcopy --only-keep-debug --compress-debug-sections=zlib "$work/$package$place" "$symbols"
        chmod 644 "$symbols"
        strip --remove-section=.comment --remove-section=.note "$work/$package$place"
        ;;
    esac
done
mkdir -p "$work/pcapx-common/usr/share/doc/pcapx-common"
"$repository/deploy/third-party.sh" | gzip -9n >"$work/third-party-licences.gz"
[ "$(zcat "$work/third-party-licences.gz" | wc -l)" -gt 100 ] || fail "deploy/third-party.sh wrote no licences"
for package in pcapx-common pcapx-extract netflow-replay; do # the others need pcapx-common
    put 644 "$work/third-party-licences.gz" "$work/$package/usr/share/doc/$package/third-party-licences.gz"
done
gzip -9nc "$here/README.Debian" >"$work/pcapx-common/usr/share/doc/pcapx-common/README.Debian.gz"
for package in $(rows | cut -d ' ' -f 1 | sort -u) pcapx-dbgsym; do pack "$package"; done
