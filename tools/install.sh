#!/bin/sh
# install.sh VENV: install what the project needs: programs from apt where they are missing, Python packages from
# the lock files into VENV. Safe to repeat. Needs root only when a program is missing.
set -eu
venv=$1

missing=
need() { command -v "$1" >/dev/null 2>&1 || PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
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
python=$(command -v python3.13 || command -v python3.12 || command -v python3.11 || command -v python3 || true)
[ -n "$python" ] || { missing="$missing python3 python3-venv"; python=python3; }
if command -v "$python" >/dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
fi
if [ -n "$missing" ]; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends ca-certificates $missing >/dev/null
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed" >&2; exit 1; }

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
"$venv/bin/pip" install -q --disable-pip-version-check --no-deps --no-build-isolation -e .

# the docker client alone: the package would also start an engine
if ! command -v docker >/dev/null 2>&1 && [ ! -x "$venv/bin/docker" ]; then
    work=$(mktemp -d)
    (cd "$work" && apt-get -qq download docker.io && dpkg-deb -x docker.io_*.deb .)
    install -m 755 "$work/usr/bin/docker" "$venv/bin/docker"
    rm -rf "$work"
fi
