#!/usr/bin/env bash
# Get what the tests take from Debian: Chromium (installed, needs root), and Prometheus, HAProxy, nginx, PgBouncer and
# choices that people made (unpacked under $1, needs nobody).
# What can't be had is said loudly and is no failure: the tests that need it say so again when they are skipped.
set -euo pipefail

cache=${1:?the folder to unpack into}
as_root=(env DEBIAN_FRONTEND=noninteractive)
[ "$(id -u)" = 0 ] || as_root=(sudo -n "${as_root[@]}")

has() { command -v "$1" >/dev/null; }
may_be_root() { "${as_root[@]}" true 2>/dev/null; }
missing() { printf '\n*** %s\n*** %s\n\n' "$1" "$2" >&2; }

# Package lists may be missing or stale, so the second attempt comes after an update.
twice() { "$@" || { may_be_root && "${as_root[@]}" apt-get update --quiet --quiet && "$@"; }; }

install_chromium() { "${as_root[@]}" apt-get install --yes --quiet --quiet --no-install-recommends chromium >/dev/null; }

# unpack FOLDER PACKAGE...
unpack() (
    folder=$1
    shift
    mkdir -p "$cache/$folder.new"
    cd "$cache/$folder.new"
    apt-get download --quiet --quiet --option APT::Sandbox::User="$(id -un)" "$@"
    for package in *.deb; do dpkg --extract "$package" .; done
    rm -rf "../$folder" ./*.deb
    mv "../$folder.new" "../$folder"
)

if ! has chromium && ! has chromium-browser && ! has google-chrome; then
    echo "Installing Chromium (about a minute, once) …"
    if ! { has apt-get && may_be_root && twice install_chromium; }; then
        missing "There is no Chromium, and this user can't install it: the browser tests will be skipped." \
            "As root: apt-get install chromium"
    fi
fi

if ! { has prometheus && has promtool; } && [ ! -x "$cache/prometheus/usr/bin/promtool" ]; then
    echo "Unpacking Prometheus (about 10 s, once) …"
    if ! { has apt-get && has dpkg && twice unpack prometheus prometheus; }; then
        missing "There is no Prometheus, and Debian's could not be fetched: the tests that need it will be skipped." \
            "Put prometheus and promtool on the PATH."
    fi
fi

# What HAProxy links to comes along, for machines that don't have it.
proxies=(haproxy nginx liblua5.3-0 libopentracing-c-wrapper0 libopentracing1)
if [ ! -x "$cache/proxies/usr/sbin/haproxy" ] || [ ! -x "$cache/proxies/usr/sbin/nginx" ]; then
    echo "Unpacking HAProxy and nginx (about 5 s, once) …"
    if ! { has apt-get && has dpkg && twice unpack proxies "${proxies[@]}"; }; then
        missing "There is no HAProxy and no nginx, and Debian's could not be fetched: attacks through them will be skipped." \
            "Let apt-get download ${proxies[*]}."
    fi
fi

pooler=(pgbouncer libc-ares2 libevent-2.1-7)
if [ ! -x "$cache/pgbouncer/usr/sbin/pgbouncer" ]; then
    echo "Unpacking PgBouncer (about 2 s, once) …"
    if ! { has apt-get && has dpkg && twice unpack pgbouncer "${pooler[@]}"; }; then
        missing "There is no PgBouncer, and Debian's could not be fetched: the tests behind it will be skipped." \
            "Let apt-get download ${pooler[*]}."
    fi
fi

# Packages of R, for the data in them: no R is needed.
choices=(r-cran-psychotools r-cran-psychotree)
if [ ! -d "$cache/choices/usr/lib/R/site-library/psychotree" ]; then
    echo "Unpacking choices that people made (about 2 s, once) …"
    if ! { has apt-get && has dpkg && twice unpack choices "${choices[@]}"; }; then
        missing "Choices that people made could not be fetched from Debian: the tests on them will be skipped." \
            "Let apt-get download ${choices[*]}."
    fi
fi
