#!/usr/bin/env bash
# Builds the C library and installs it.
#
# Usage: see install.sh --help
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
say() { printf 'install.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

usage() {
  cat <<'END'
usage: install.sh --prefix DIR [--libdir DIR] [--target TRIPLE]

Builds the C library and installs its header, the shared and the static library, and the files for
pkg-config and CMake; for Windows also the DLL's import library. Needs cargo.

  --prefix DIR     where to install: an absolute path
  --libdir DIR     where the libraries go: below the prefix, or an absolute path; default: lib
  --target TRIPLE  the system to build for; default: the one that cargo builds for, which is this
                   one, or CARGO_BUILD_TARGET, or build.target in cargo's configuration
  --help           print this

With DESTDIR set, everything goes below that folder, for packages. STRIP names the program that
takes the debug information out of the static library; default: the target's own strip.
END
}

prefix='' libdir=lib target=''
while [ $# -gt 0 ]; do
  case "$1" in
    --prefix | --libdir | --target)
      [ $# -ge 2 ] || die "$1 needs a value"
      declare "${1#--}=$2"
      shift 2
      ;;
    --prefix=* | --libdir=* | --target=*)
      value=${1#*=} name=${1%%=*}
      declare "${name#--}=$value"
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 1 ;;
  esac
done

is_absolute() { case "$1" in /* | [A-Za-z]:[/\\]*) true ;; *) false ;; esac }
# Windows takes both, and the files for other tools take this one.
slashes() { case "$1" in [A-Za-z]:*) printf '%s' "${1//\\//}" ;; *) printf '%s' "$1" ;; esac }

prefix=$(slashes "$prefix")
libdir=$(slashes "$libdir")
is_absolute "$prefix" || die "--prefix needs an absolute path (install.sh --help says more)"
case "$prefix$libdir" in *$'\n'*) die "a line break in a path: the files for pkg-config cannot say that" ;; esac
[ "$prefix" = / ] || prefix=${prefix%/}
libdir=${libdir#"${prefix%/}"/}
libdir=${libdir%/}
case "/$libdir/" in // | */./* | */../*) die "--libdir needs a folder, without . and .." ;; esac
command -v cargo >/dev/null || die "needs cargo (https://rustup.rs)"

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$top/Cargo.toml")
[ -n "$version" ] || die "no version in $top/Cargo.toml"
series=${version%.*}

# A folder of its own: these are built with flags that plain cargo builds do not have.
build=${CARGO_TARGET_DIR:-$top/target}
is_absolute "$build" || build=$PWD/$build
build=$(slashes "$build")/capi
mkdir -p "$build"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Without debug information, and with the name under which programs ask for the library at run time;
# see build.rs.
compile() {
  (cd "$top" && ANONPIPE_SONAME=yes cargo rustc --quiet --locked --release -p anonpipe-capi --lib --target-dir "$build" \
    --config 'profile.release.debug=false' --config 'profile.release.strip="symbols"' \
    ${target:+--target "$target"} "$@" -- --print native-static-libs)
}
compile >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; die "the build failed"; }
# Once more, which builds nothing: where cargo has put what, and what the static library needs, is
# said by cargo alone.
compile --message-format=json >"$scratch/messages" 2>"$scratch/log" || { cat "$scratch/log" >&2; die "the build failed"; }

# The names in the message about this library, one a line. In JSON a quotation mark inside a name
# has a backslash before it.
sed -n '/"reason":"compiler-artifact"/s/.*"kind":\["cdylib","staticlib"\].*"filenames":\["\(.*\)"\],"executable":.*/\1/p' \
  "$scratch/messages" >"$scratch/artifacts"
case $(grep -c . "$scratch/artifacts" || true) in
  1) ;;
  0) die "cargo does not say what it has built" ;;
  *) die "cargo builds for several targets here: choose one with --target" ;;
esac
static='' shared='' import=''
while IFS= read -r file; do
  file=$(slashes "$file")
  case "$file" in
    *.dll.a) import=$file ;;
    *.dll.lib | *.lib) die "this installs for MinGW; for MSVC take anonpipe.dll, anonpipe.dll.lib and anonpipe.lib from ${file%/*}" ;;
    *.a) static=$file ;;
    *.so | *.dylib | *.dll) shared=$file ;;
  esac
done < <(awk '{ gsub(/","/, "\n"); print }' "$scratch/artifacts" | sed 's/\\\(["\\]\)/\1/g')
[ -n "$static" ] || die "cargo has made no static library"
[ -n "$shared" ] || die "this target has no shared libraries (for musl, RUSTFLAGS=-Ctarget-feature=-crt-static helps)"

# libgcc_s is left to the C compiler, which adds it, or with -static what stands in for it: of
# libgcc_s there is no static form.
private=$(sed -n 's/.*"message":"native-static-libs: \([^"]*\)".*/\1/p' "$scratch/messages" | tail -n 1)
[ -n "$private" ] || die "rustc does not say what the static library needs"
private=$(printf ' %s ' "$private" | sed 's/ -lgcc_s / /g; s/^ *//; s/ *$//')

# The target, as the folder is called that cargo has put the files in.
triple=${static%/*/*}
triple=${triple##*/}
[ "$triple" != capi ] || triple=$(rustc -vV | sed -n 's/^host: //p')

root=${DESTDIR:-}
case "$libdir" in /* | [A-Za-z]:*) libraries=$libdir ;; *) libraries=${prefix%/}/$libdir ;; esac
programs=${prefix%/}/bin headers=${prefix%/}/include
# Not into the old file, which programs may be running.
put() { mkdir -p "$(dirname "$2")" && rm -f "$2" && cp "$1" "$2"; }
put "$here/include/anonpipe.h" "$root$headers/anonpipe.h"
put "$static" "$root$libraries/libanonpipe.a"
case "$shared" in
  *.dll)
    put "$shared" "$root$programs/anonpipe.dll"
    put "$import" "$root$libraries/libanonpipe.dll.a"
    ;;
  *.dylib) put "$shared" "$root$libraries/libanonpipe.dylib" ;;
  *)
    put "$shared" "$root$libraries/libanonpipe.so.$version"
    ln -sf "libanonpipe.so.$version" "$root$libraries/libanonpipe.so.$series"
    ln -sf "libanonpipe.so.$series" "$root$libraries/libanonpipe.so"
    ;;
esac

# Takes the debug information out of the static library, which has the standard library's, and the
# bitcode, which no linker of C programs can use. The linker has done so for the shared one.
strip_static() {
  local gnu tool flags=(-S -R .llvmbc -R .llvmcmd)
  case "$triple" in
    *apple*) gnu='' flags=(-S) ;;
    *-windows-*) gnu=${triple%%-*}-w64-mingw32 ;;
    *) gnu=${triple/-unknown/} gnu=${gnu/-pc/} ;;
  esac
  for tool in "${STRIP:-}" "${gnu:+$gnu-strip}" llvm-strip strip; do
    if [ -z "$tool" ] || ! command -v "$tool" >/dev/null; then continue; fi
    "$tool" "${flags[@]}" "$1" 2>"$scratch/log" && return
  done
  say "no strip for $triple (set STRIP): the static library keeps its debug information"
}
strip_static "$root$libraries/libanonpipe.a"

# fill TEMPLATE NAME VALUE...: prints it with each @NAME@ replaced. The values come by the
# environment, where no character means anything.
fill() {
  local template=$1
  shift
  local names=()
  while [ $# -gt 0 ]; do
    names+=("$1")
    export "fill_$1=$2"
    shift 2
  done
  NAMES=${names[*]} awk '
    BEGIN { count = split(ENVIRON["NAMES"], names, " ") }
    {
      for (i = 1; i <= count; i++) {
        key = "@" names[i] "@"; done = ""
        while ((at = index($0, key)) > 0) {
          done = done substr($0, 1, at - 1) ENVIRON["fill_" names[i]]
          $0 = substr($0, at + length(key))
        }
        $0 = done $0
      }
      print
    }' "$here/dist/$template"
}
# In pkg-config files a backslash keeps the next character from meaning something, and in CMake
# strings.
for_pkg_config() { printf '%s' "$1" | sed 's/[\\ "'\''#]/\\&/g'; }
for_cmake() { printf '%s' "$1" | sed 's/[\\"$;]/\\&/g'; }

# From the folder of CMake's files to the prefix.
up=''
case "$libdir" in
  /* | [A-Za-z]:*) cmake_prefix=$(for_cmake "$prefix") pkg_libdir=$(for_pkg_config "$libdir") ;;
  *)
    # shellcheck disable=SC2016 # CMake expands it, and pkg-config
    cmake_prefix='${CMAKE_CURRENT_LIST_DIR}/../..' pkg_libdir='${prefix}/'$(for_pkg_config "$libdir")
    IFS=/ read -ra parts <<<"$libdir"
    for part in "${parts[@]}"; do [ -z "$part" ] || up=$up/..; done
    cmake_prefix=$cmake_prefix$up
    ;;
esac
# shellcheck disable=SC2016 # CMake expands it
case "$shared" in
  *.dll) location='${_anonpipe_prefix}/bin/anonpipe.dll' ;;
  *) location='${_anonpipe_libdir}/'libanonpipe.${shared##*.} ;;
esac
mkdir -p "$root$libraries/pkgconfig" "$root$libraries/cmake/anonpipe"
fill anonpipe.pc.in prefix "$(for_pkg_config "$prefix")" libdir "$pkg_libdir" version "$version" private "$private" \
  >"$root$libraries/pkgconfig/anonpipe.pc"
fill anonpipe-config.cmake.in prefix "$cmake_prefix" location "$location" private "${private// -/;-}" \
  >"$root$libraries/cmake/anonpipe/anonpipe-config.cmake"
fill anonpipe-config-version.cmake.in version "$version" series "$series" \
  >"$root$libraries/cmake/anonpipe/anonpipe-config-version.cmake"
printf 'installed anonpipe %s for %s in %s\n' "$version" "$triple" "$root$prefix"
