#!/bin/sh
# install.sh VENV: install what the project needs: programs from apt where they are missing, Python packages from
# the lock files into VENV. Safe to repeat. Needs root only while a program is missing.
set -eu
venv=$1
missing=

has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1; }
need() { has "$1" || missing="$missing $2"; }

# install_packages PACKAGE...: from apt
install_packages() {
    [ "$(id -u)" = 0 ] || { echo "run as root, or install first: apt-get install $*" >&2; exit 1; }
    echo "installing: $*"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# find_python: sets $python to one that starts (a version manager's shim may not), is new enough and can make a venv
find_python() {
    for python in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    return 1
}

# fetch_docker: put the docker client alone into $venv; its package would also start an engine
fetch_docker() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    for package in docker-cli docker.io; do # Debian 13 has split the client off
        (cd "$work" && apt-get -qq download "$package" && dpkg-deb -x "$package"_*.deb .) 2>"$work/error" || continue
        [ -x "$work/usr/bin/docker" ] || continue
        install -m 755 "$work/usr/bin/docker" "$venv/bin/docker"
        return
    done
    cat "$work/error" >&2
    return 1
}

# fetch_compose: put the compose plugin of Debian 13 into $venv, for the tests: Debian 12 has none
fetch_compose() (
    version=2.26.1-4
    plugin=$venv/docker/compose-$version
    [ ! -x "$plugin" ] || return 0
    architecture=$(dpkg --print-architecture)
    case $architecture in
    amd64) sum=47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea ;;
    arm64) sum=bbafaa666f3e7fa00ad36f2a8bab889f1c791ca8743d674e7267a3d07203869c ;;
    *) echo "no compose plugin is pinned for $architecture" >&2; return 1 ;;
    esac
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    package=pool/main/d/docker-compose/docker-compose_${version}_$architecture.deb
    curl -fsS --connect-timeout 5 --max-time 120 -o "$work/package.deb" "http://deb.debian.org/debian/$package" || return 1
    echo "$sum  $work/package.deb" | sha256sum --check --quiet || return 1
    dpkg-deb -x "$work/package.deb" "$work" || return 1
    mkdir -p "$venv/docker/cli-plugins"
    install -m 755 "$work/usr/libexec/docker/cli-plugins/docker-compose" "$plugin.new" || return 1
    mv "$plugin.new" "$plugin"
    ln -sfn "../compose-$version" "$venv/docker/cli-plugins/docker-compose"
)

need crun crun
need runc runc
need conmon conmon
need ip iproute2
need nft nftables
need nsenter util-linux
need busybox busybox-static
need curl curl
need openssl openssl
need ssh-keygen openssh-client
need tini tini
need docker-registry docker-registry
need script bsdutils
need jq jq
need rsyslogd rsyslog # a receiver for tests of log drivers
[ -d /etc/ssl/certs ] || missing="$missing ca-certificates"
find_python || missing="$missing python3 python3-venv"
# shellcheck disable=SC2086
[ -z "$missing" ] || install_packages $missing
find_python || { echo "Python 3.11 or newer is needed, with its venv module" >&2; exit 1; }

"$venv/bin/python" -c '' 2>/dev/null || "$python" -m venv --clear "$venv"
fetch_compose & # beside pip, so that nobody waits for it
compose=$!
"$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
"$venv/bin/pip" install -q --disable-pip-version-check --no-deps --no-build-isolation -e .

has docker || [ -x "$venv/bin/docker" ] || fetch_docker || { apt-get update -qq && fetch_docker; }
wait "$compose" || echo "docker compose could not be fetched: tests that use it are skipped" >&2
