#!/bin/sh
#
# Set a Docker client up for a Triton data center: make a client certificate from an account's SSH key,
# find the data center's Docker endpoint and its CA, and write what a shell needs to use both.
#
# Needs a POSIX shell, curl, openssl and ssh-keygen. Nothing leaves this machine but signatures.

set -eu
LC_ALL=C
export LC_ALL
umask 077

NAME=sdc-docker-setup
VERSION=1.0.0
PLACEHOLDER='tcp://<HOST>:2376'

quiet= force= insecure= sdc_vars= make_context= profile= folder= coal_host=root@10.99.99.7
cloudapi= account= key= key_id= key_kind= docker_host= verified=

usage() {
    cat <<EOF
Usage: $NAME.sh [OPTIONS] [CLOUDAPI] [ACCOUNT] [PRIVATE-KEY]

Make the certificate and the environment with which a Docker client uses a
Triton account. What is not given is asked for.

  CLOUDAPI      URL of the data center's CloudAPI, or the name of a region
                ('coal' for a data center in a local virtual machine)
  ACCOUNT       login of the account
  PRIVATE-KEY   an SSH private key of that account: RSA, ECDSA or Ed25519, in
                PEM or OpenSSH format, its public key beside it in a .pub file

Options:
  -h            print this help and exit
  -V            print the version and exit
  -q            print nothing but the commands for the environment
  -f            force: check neither CloudAPI, account nor key, look nothing up
  -k            accept TLS certificates that cannot be verified
  -s            also set SDC_URL, SDC_ACCOUNT and SDC_KEY_ID for Triton's tools
  -c USER@HOST  where to reach the head node of 'coal' (default $coal_host)
  -p PROFILE    name of the profile (default: the account); files are written
                to ~/.sdc/docker/PROFILE
  -d DIR        write the files to this folder instead
  -C            make a docker context of the profile's name, too
EOF
}

say() { [ -n "$quiet" ] || printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "$NAME" "$*" >&2; }
die() {
    warn "$*"
    exit 1
}

# ask QUESTION DEFAULT: sets $answer
ask() {
    printf '%s%s ' "$1" "${2:+ [$2]}" >&2
    read -r answer || die "no answer to: $1"
    answer=${answer:-$2}
}

# quote TEXT: as one word of a POSIX shell
quote() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# fetch URL [CURL-OPTION...]: prints the HTTP status, 000 when there was none; the body is in $work/body
fetch() {
    url=$1
    shift
    : >"$work/body"
    curl -sS ${insecure:+-k} -A "$NAME/$VERSION" --connect-timeout 15 --max-time 60 \
        -o "$work/body" -w '%{http_code}' "$@" "$url" 2>"$work/error" || :
}

# message: the sentence in the last answer's body
message() {
    tr -d '\n' <"$work/body" | sed -n 's/.*"message" *: *"\([^"]*\)".*/\1/p'
}

# ---- 1. CloudAPI

# find_cloudapi NAME-OR-URL: sets $cloudapi when it answers
find_cloudapi() {
    cloudapi=$1
    case $cloudapi in
    coal)
        insecure=1
        cloudapi=$(ssh "$coal_host" 'vmadm lookup -j alias=cloudapi0 |
            /usr/node/bin/json -ag nics | /usr/node/bin/json -ac "this.nic_tag===\"external\"" ip') || cloudapi=
        [ -n "$cloudapi" ] || { warn "cannot find CloudAPI through $coal_host"; return 1; }
        coal=1
        ;;
    '') warn 'a CloudAPI URL is needed'; return 1 ;;
    *.* | *:*) ;;
    *) cloudapi=$cloudapi.api.joyent.com ;;
    esac
    case $cloudapi in
    http://* | https://*) ;;
    *) cloudapi=https://$cloudapi ;;
    esac
    cloudapi=${cloudapi%/}
    [ -z "$force" ] || return 0
    status=$(fetch "$cloudapi/--ping")
    case $status in
    200) return 0 ;;
    503) warn "CloudAPI at $cloudapi is in maintenance; try again later" ;;
    000) warn "cannot reach CloudAPI at $cloudapi: $(cat "$work/error")" ;;
    *) warn "CloudAPI at $cloudapi does not answer a ping (HTTP status $status)" ;;
    esac
    return 1
}

get_cloudapi() {
    if [ -n "${1:-}" ]; then
        find_cloudapi "$1" || exit 1
    else
        while :; do
            ask 'CloudAPI URL or region:' "${SDC_URL:-https://us-central-1.api.mnx.io}"
            find_cloudapi "$answer" && break
        done
    fi
    say "CloudAPI:    $cloudapi"
}

# ---- 2. Account and key

check_account() {
    account=$1
    case $account in
    '') warn 'an account is needed' ;;
    *[!A-Za-z0-9._@-]*) warn "not the login of an account: $account" ;;
    *) return 0 ;;
    esac
    return 1
}

get_account() {
    if [ -n "${1:-}" ]; then
        check_account "$1" || exit 1
    else
        while :; do
            ask 'Account:' "${SDC_ACCOUNT:-}"
            check_account "$answer" && break
        done
    fi
    say "Account:     $account"
}

check_key() {
    case $1 in
    '~/'*) key=$HOME/${1#??} ;;
    *) key=$1 ;;
    esac
    [ -f "$key" ] && [ -r "$key" ] && return 0
    warn "cannot read the private key $key"
    return 1
}

get_key() {
    if [ -n "${1:-}" ]; then
        check_key "$1" || exit 1
    else
        while :; do
            ask 'SSH private key:' "$HOME/.ssh/id_rsa"
            check_key "$answer" && break
        done
    fi
    say "Private key: $key"
}

# read_public_key: sets $key_id and $key_kind
read_public_key() {
    if [ -f "$key.pub" ]; then
        cp "$key.pub" "$work/key.pub"
    elif [ -n "$force" ]; then
        ssh-keygen -y -f "$key" >"$work/key.pub" || die "cannot read the public key out of $key"
    else
        die "there is no public key $key.pub; make one with: ssh-keygen -y -f $key > $key.pub"
    fi
    # OpenSSH before 6.8 knows no -E and prints MD5 anyway
    key_id=$(ssh-keygen -E md5 -l -f "$work/key.pub" 2>/dev/null || ssh-keygen -l -f "$work/key.pub") ||
        die "$key.pub is not an SSH public key"
    key_id=$(printf '%s\n' "$key_id" | awk '{ sub(/^MD5:/, "", $2); print $2; exit }')
    key_kind=$(awk '{ print $1; exit }' "$work/key.pub")
    case $key_kind in
    ssh-rsa | ecdsa-sha2-nistp* | ssh-ed25519) ;;
    *) die "keys of type $key_kind cannot be used; RSA, ECDSA and Ed25519 keys can" ;;
    esac
}

# write_private_key: puts the key as PEM that openssl reads, without passphrase, into $work/key.pem
write_private_key() {
    if ! grep -q 'BEGIN OPENSSH PRIVATE KEY' "$key"; then
        openssl pkey -in "$key" -out "$work/key.pem" 2>"$work/error" || die "cannot read the private key $key"
        return
    fi
    cp "$key" "$work/copy"
    chmod 600 "$work/copy"
    ssh-keygen -q -p -m PEM -P '' -N '' -f "$work/copy" >/dev/null 2>&1 ||
        ssh-keygen -q -p -m PEM -N '' -f "$work/copy" >/dev/null || die "cannot read the private key $key"
    if grep -q 'BEGIN OPENSSH PRIVATE KEY' "$work/copy"; then
        write_ed25519_key
    else
        openssl pkey -in "$work/copy" -out "$work/key.pem" 2>"$work/error" || die "cannot convert the private key $key"
    fi
}

# write_ed25519_key: ssh-keygen writes these in OpenSSH's own format only. In that format, without
# passphrase, the 32 bytes of the key always begin at byte 161; PKCS#8 wants 16 fixed bytes before them.
write_ed25519_key() {
    sed '/^-----/d' "$work/copy" | tr -d '\r\n' | openssl base64 -d -A >"$work/blob"
    {
        printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'
        dd if="$work/blob" bs=1 skip=161 count=32 2>/dev/null
    } >"$work/key.der"
    openssl pkey -inform DER -in "$work/key.der" -out "$work/key.pem" 2>"$work/error" ||
        die "this openssl cannot use Ed25519 keys: $(cat "$work/error")"
}

# check_pair: the private key and the public key, by which CloudAPI knows the account, are one pair
check_pair() {
    openssl pkey -in "$work/key.pem" -pubout -out "$work/pub.pem"
    case $key_kind in
    ssh-ed25519) # the last 32 bytes of either form
        openssl pkey -pubin -in "$work/pub.pem" -outform DER | tail -c 32 >"$work/found"
        awk '{ printf "%s", $2; exit }' "$work/key.pub" | openssl base64 -d -A | tail -c 32 >"$work/wanted"
        ;;
    *)
        ssh-keygen -i -m PKCS8 -f "$work/pub.pem" 2>/dev/null | awk '{ print $1, $2 }' >"$work/found"
        awk '{ print $1, $2; exit }' "$work/key.pub" >"$work/wanted"
        ;;
    esac
    cmp -s "$work/found" "$work/wanted" || die "the private key $key does not belong to $key.pub"
}

# ---- 3. Signed requests

# sign ALGORITHM TEXT: the signature in base64
sign() {
    printf '%s' "$2" >"$work/text"
    case $1 in
    ed25519-*) openssl pkeyutl -sign -rawin -inkey "$work/key.pem" -in "$work/text" -out "$work/signature" ;;
    *) openssl dgst "-${1#*-}" -sign "$work/key.pem" -out "$work/signature" "$work/text" ;;
    esac 2>"$work/error" || die "cannot sign with the key: $(cat "$work/error")"
    openssl base64 -A -in "$work/signature"
}

# signed PATH: GET it from CloudAPI as the account; prints the status. RSA keys use the old form of
# signatures, which every CloudAPI takes; it has no other algorithms.
signed() {
    now=$(date -u '+%a, %d %b %Y %H:%M:%S GMT')
    id="keyId=\"/$account/keys/$key_id\""
    case $key_kind in
    ssh-rsa)
        signature=$(sign rsa-sha256 "$now") || exit 1
        form="$id,algorithm=\"rsa-sha256\" $signature"
        ;;
    *)
        case $key_kind in
        *nistp256) algorithm=ecdsa-sha256 ;;
        *nistp384) algorithm=ecdsa-sha384 ;;
        *nistp521) algorithm=ecdsa-sha512 ;;
        *) algorithm=ed25519-sha512 ;;
        esac
        text=$(printf '(request-target): get %s\ndate: %s' "$1" "$now")
        signature=$(sign "$algorithm" "$text") || exit 1
        form="$id,algorithm=\"$algorithm\",headers=\"(request-target) date\",signature=\"$signature\""
        ;;
    esac
    fetch "$cloudapi$1" -H 'Accept: application/json' -H 'api-version: *' -H "Date: $now" \
        -H "Authorization: Signature $form"
}

check_access() {
    status=$(signed /--ping)
    case $status in
    200) return ;;
    401)
        warn "CloudAPI does not accept the key: $(message)"
        die "is $account the right account, and $key_id ($key.pub) among its keys?"
        ;;
    400) [ -z "${coal:-}" ] || die "CloudAPI refused the request: do the clocks of both machines agree?" ;;
    esac
    die "CloudAPI refused the account's request (HTTP status $status): $(message)"
}

find_docker() {
    status=$(signed "/$account/services")
    case $status in
    200) ;;
    403) die "$account may not use this data center: $(message)" ;;
    *) die "cannot list the services of the data center (HTTP status $status): $(message)" ;;
    esac
    docker_host=$(tr -d '\n' <"$work/body" | sed -n 's/.*"docker" *: *"\([^"]*\)".*/\1/p')
    case $docker_host in
    '') warn 'this data center names no Docker endpoint; set DOCKER_HOST yourself' ;;
    tcp://*[!A-Za-z0-9.:/_-]*) die "the data center names a strange Docker endpoint: $docker_host" ;;
    tcp://*) say "Docker:      $docker_host" ;;
    *) die "the data center names a strange Docker endpoint: $docker_host" ;;
    esac
}

# ---- 4. Files

write_certificate() {
    subject=/CN=$account
    case $(uname -s) in
    MINGW*) subject=/$subject ;; # a single slash would become a Windows path
    esac
    openssl req -new -key "$work/key.pem" -subj "$subject" -out "$work/csr.pem" 2>"$work/error" &&
        openssl x509 -req -days 365 -in "$work/csr.pem" -signkey "$work/key.pem" \
            -out "$work/cert.pem" 2>"$work/error" || die "cannot make a certificate: $(cat "$work/error")"
}

# get_ca: a private CA can only be trusted at first sight; on this very machine that is no risk
get_ca() {
    endpoint=https://${docker_host#tcp://}
    asked=$insecure
    case $docker_host in
    tcp://127.* | tcp://localhost | tcp://localhost:*) insecure=1 ;;
    esac
    status=$(fetch "$endpoint/ca.pem")
    insecure=$asked
    case $status in
    200) ;;
    404) say 'the endpoint has no CA of its own'; return ;;
    000)
        ! grep -q '(60)' "$work/error" || warn 'to trust whatever certificate the endpoint shows, use -k'
        die "cannot get $endpoint/ca.pem: $(head -1 "$work/error")"
        ;;
    *) die "cannot get $endpoint/ca.pem (HTTP status $status)" ;;
    esac
    openssl x509 -in "$work/body" -noout 2>/dev/null || die "$endpoint/ca.pem is not a certificate"
    cp "$work/body" "$work/ca.pem"
}

# try_endpoint: sets $verified when the endpoint's certificate is good for the name in DOCKER_HOST
try_endpoint() {
    [ -f "$work/ca.pem" ] || return 0
    asked=$insecure insecure=
    status=$(fetch "$endpoint/info" --cacert "$work/ca.pem" --cert "$work/cert.pem" --key "$work/key.pem")
    insecure=$asked
    case $status in
    000) warn "cannot verify the endpoint's certificate: $(cat "$work/error")" ;;
    *) verified=1 ;;
    esac
    case $status in
    401 | 403) warn "the endpoint does not let $account in: $(message)" ;;
    esac
}

# env_commands: what a shell must evaluate
env_commands() {
    if [ -n "$sdc_vars" ]; then
        printf 'export SDC_URL=%s\n' "$(quote "$cloudapi")"
        printf 'export SDC_ACCOUNT=%s\n' "$(quote "$account")"
        printf 'export SDC_KEY_ID=%s\n' "$(quote "$key_id")"
        [ -z "$insecure" ] || echo 'export SDC_TESTING=1'
    fi
    printf 'export DOCKER_CERT_PATH=%s\n' "$(quote "$folder")"
    printf 'export DOCKER_HOST=%s\n' "$(quote "${docker_host:-$PLACEHOLDER}")"
    echo 'export DOCKER_CLIENT_TIMEOUT=300'
    [ -n "$docker_host" ] || return 0
    echo 'export COMPOSE_HTTP_TIMEOUT=300'
    echo 'export DOCKER_BUILDKIT=0' # "docker compose build" would run a BuildKit of its own, in a privileged container
    if [ -n "$verified" ]; then
        echo 'export DOCKER_TLS_VERIFY=1'
        return
    fi
    case ${docker_host#tcp://} in
    [0-9]*)
        echo 'unset DOCKER_TLS_VERIFY'
        echo 'alias docker="docker --tls"'
        ;;
    *) echo 'export DOCKER_TLS_VERIFY=1' ;;
    esac
}

write_files() {
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    env_commands >"$work/env.sh"
    rm -f "$folder/ca.pem"
    for file in key.pem cert.pem ca.pem env.sh; do
        [ ! -f "$work/$file" ] || mv -f "$work/$file" "$folder/$file"
    done
    say "Files:       $folder"
}

# ---- 5. Telling how to go on

context_host() {
    printf 'host=%s,cert=%s,key=%s' "$docker_host" "$folder/cert.pem" "$folder/key.pem"
    [ ! -f "$folder/ca.pem" ] || printf ',ca=%s' "$folder/ca.pem"
    [ -n "$verified" ] || printf ',skip-tls-verify=true'
}

offer_context() {
    [ -n "$docker_host" ] || return 0
    if [ -z "$make_context" ]; then
        say ''
        say 'Or make a docker context of it (option -C does):'
        say ''
        say "    docker context create $profile --docker $(quote "$(context_host)")"
        return
    fi
    verb=create
    ! docker context inspect "$profile" >/dev/null 2>&1 || verb=update
    docker context "$verb" "$profile" --docker "$(context_host)" >/dev/null 2>"$work/error" ||
        die "cannot $verb the docker context $profile: $(cat "$work/error")"
    say "Context:     docker --context $profile"
}

report() {
    if [ -n "$quiet" ]; then
        cat "$folder/env.sh"
    else
        say ''
        say 'To use it in this shell:'
        say ''
        sed 's/^/    /' "$folder/env.sh"
        say ''
        say "or: . $(quote "$folder/env.sh")"
        if grep -q '^unset DOCKER_TLS_VERIFY' "$folder/env.sh"; then
            say ''
            say "The endpoint's certificate does not name ${docker_host#tcp://}. If it is made out to *.triton, map"
            say "my.triton to that address in /etc/hosts and use tcp://my.triton with DOCKER_TLS_VERIFY=1."
        fi
    fi
    offer_context
}

main() {
    while getopts hVqfksCc:p:d: option; do
        case $option in
        h) usage; exit 0 ;;
        V) echo "$NAME $VERSION"; exit 0 ;;
        q) quiet=1 ;;
        f) force=1 ;;
        k) insecure=1 ;;
        s) sdc_vars=1 ;;
        C) make_context=1 ;;
        c) coal_host=$OPTARG ;;
        p) profile=$OPTARG ;;
        d) folder=$OPTARG ;;
        *) usage >&2; exit 2 ;;
        esac
    done
    shift $((OPTIND - 1))
    [ $# -le 3 ] || { usage >&2; exit 2; }
    if [ -n "$profile" ]; then
        printf '%s\n' "$profile" | grep -Eq '^[a-z][a-z0-9._-]+$' || die "not a name for a profile: $profile"
    fi
    for tool in curl openssl ssh-keygen; do
        command -v "$tool" >/dev/null || die "$tool is needed, but not installed"
    done
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' HUP TERM

    get_cloudapi "${1:-}"
    get_account "${2:-}"
    get_key "${3:-}"
    profile=${profile:-$account}
    folder=${folder:-$HOME/.sdc/docker/$profile}
    read_public_key
    write_private_key
    check_pair
    [ -n "$force" ] || check_access
    write_certificate
    [ -n "$force" ] || find_docker
    if [ -n "$docker_host" ]; then
        get_ca
        try_endpoint
    fi
    write_files
    report
}

main "$@"
