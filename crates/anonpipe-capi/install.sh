#!/usr/bin/env bash
# Builds the C library and installs it: crates/anonpipe-capi/install.sh --prefix DIR [--target TRIPLE]
#
# Installs the header, the shared and the static library, and the files for pkg-config and CMake; for Windows also the DLL's
# import library. Needs cargo. With DESTDIR set, everything goes below that folder, for packages.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

prefix='' target=''
while [ $# -gt 0 ]; do
  case "$1" in
    --prefix) prefix=${2:-}; shift 2 || die "--prefix needs a folder" ;;
    --target) target=${2:-}; shift 2 || die "--target needs a triple" ;;
    *) die "usage: install.sh --prefix DIR [--target TRIPLE]" ;;
  esac
done
case "$prefix" in /* | [A-Za-z]:[/\\]*) ;; *) die "--prefix needs an absolute path" ;; esac
command -v cargo >/dev/null || die "needs cargo (https://rustup.rs)"

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$top/Cargo.toml")
[ -n "$version" ] || die "no version in $top/Cargo.toml"
series=${version%.*}
host=$(rustc -vV | sed -n 's/^host: //p')
# A folder of its own: these are built with flags that plain cargo builds do not have.
build=${CARGO_TARGET_DIR:-$top/target}/capi
out=$build/${target:+$target/}release
private=$build/${target:-$host}.libs
flags=(--print "native-static-libs=$private")
case "${target:-$host}" in
  *windows* | *apple*) ;;
  # The name under which programs ask for it at run time.
  *) flags+=(-C "link-arg=-Wl,-soname,libanonpipe.so.$series") ;;
esac
mkdir -p "$build"
(cd "$top" && CARGO_TARGET_DIR=$build cargo rustc --quiet --locked --release -p anonpipe-capi --lib \
  ${target:+--target "$target"} -- "${flags[@]}") || die "the build failed"

root=${DESTDIR:-}$prefix
mkdir -p "$root/include" "$root/lib/pkgconfig" "$root/lib/cmake/anonpipe"
cp "$here/include/anonpipe.h" "$root/include/"
shared=lib/libanonpipe.so
case "${target:-$host}" in
  *windows-gnu*)
    shared=bin/anonpipe.dll
    mkdir -p "$root/bin"
    cp "$out/anonpipe.dll" "$root/bin/"
    cp "$out/libanonpipe.dll.a" "$out/libanonpipe.a" "$root/lib/"
    ;;
  *windows-msvc*) die "this installs for MinGW; for MSVC take anonpipe.dll, anonpipe.dll.lib and anonpipe.lib from $out" ;;
  *apple*)
    shared=lib/libanonpipe.dylib
    cp "$out/libanonpipe.dylib" "$out/libanonpipe.a" "$root/lib/"
    ;;
  *)
    cp "$out/libanonpipe.a" "$root/lib/"
    cp "$out/libanonpipe.so" "$root/lib/libanonpipe.so.$version"
    ln -sf "libanonpipe.so.$version" "$root/lib/libanonpipe.so.$series"
    ln -sf "libanonpipe.so.$series" "$root/lib/libanonpipe.so"
    ;;
esac
fill() {
  sed -e "s|@prefix@|$prefix|" -e "s|@version@|$version|" -e "s|@series@|$series|" -e "s|@shared@|$shared|" \
    -e "s|@private@|$(tr '\n' ' ' < "$private" | sed 's/ *$//')|" "$here/dist/$1.in" > "$2/$1"
}
fill anonpipe.pc "$root/lib/pkgconfig"
fill anonpipe-config.cmake "$root/lib/cmake/anonpipe"
fill anonpipe-config-version.cmake "$root/lib/cmake/anonpipe"
printf 'installed anonpipe %s in %s\n' "$version" "$root"
