#!/bin/sh
# Writes the licences of all crates that are in the programs, each as it came with its crate, to standard output. They have to
# go with the programs wherever those go. Needs cargo and the crates' sources.
set -eu

repository=$(cd "$(dirname "$0")/.." && pwd)
cd "$repository"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

programs=$(sed -n '/^#/d; s|.* bin/\([^ ]*\) .*|\1|p' deploy/files)
set --
for program in $programs; do set -- "$@" -p "$program"; done
cargo tree --locked "$@" --edges normal --prefix none --format '{p}' | sed 's/ v\([^ ]*\).*/-\1/' | sort -u >"$work/crates"
cargo metadata --locked --format-version 1 | tr ',' '\n' |
    sed -n 's|^"manifest_path":"\(.*\)/Cargo.toml"$|\1|p' | sort -u >"$work/folders"

echo "The programs of pcapx contain these libraries. Below each stands its licence, as it came with it."
while read -r folder; do
    crate=${folder##*/}
    case $folder in "$repository"/*) continue ;; esac
    grep -qxF "$crate" "$work/crates" || continue
    printf '\n==== %s: %s\n' "$crate" "$(sed -n 's/^license = "\(.*\)"/\1/p' "$folder/Cargo.toml")"
    find "$folder" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'copyright*' -o -iname 'notice*' \) |
        sort | while read -r text; do printf '\n---- %s\n' "${text##*/}"; cat "$text"; done
done <"$work/folders"
printf '\n==== The standard library of Rust: MIT OR Apache-2.0, https://www.rust-lang.org/policies/licenses\n'
