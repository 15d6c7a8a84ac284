#!/usr/bin/env bash
# Installs the Debian packages that building and `troupe dev` need; with the argument "servers" also those that tests and
# SERVERS=1 need. Quick when nothing is missing. The RabbitMQ, PostgreSQL and Prometheus that come along are not
# started: the demo and the tests run private instances.
set -euo pipefail

# Built against, and what runs handlers.
packages=(libcurl4-openssl-dev libpq-dev librabbitmq-dev libsqlite3-dev pkg-config python3)
if [[ ${1:-} == servers ]]; then
    packages+=(curl libdbd-pg-perl openssl postgresql prometheus python3-venv rabbitmq-server sqitch wrk)
fi

main() {
    local missing
    missing=$(missing_packages)
    if [[ -z $missing ]]; then
        return
    fi
    missing=${missing//$'\n'/ }
    if ! command -v apt-get >/dev/null; then
        stop "these Debian packages are missing, and this is no Debian: install what corresponds to: $missing"
    fi
    if ((EUID == 0)); then
        install "$missing"
    elif command -v sudo >/dev/null; then
        echo "installing with sudo: $missing"
        exec sudo -- bash "$0" "$@"
    else
        stop "these packages are missing, and installing them takes root; run as root:
    apt-get update && apt-get install --yes --no-install-recommends $missing"
    fi
}

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        if [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
            echo "$package"
        fi
    done
}

install() {
    echo "installing: $1"
    trap restore EXIT
    keep_services_stopped
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of names
    apt-get install --yes --no-install-recommends $1 || {
        apt-get update
        apt-get install --yes --no-install-recommends $1
    }
    if [[ " $1 " == *" rabbitmq-server "* || " $1 " == *" postgresql "* || " $1 " == *" prometheus "* ]]; then
        echo "installed. Debian starts its RabbitMQ, PostgreSQL and Prometheus at the next boot; if nobody needs them:"
        echo "    systemctl disable rabbitmq-server postgresql prometheus"
    fi
}

# Debian starts a service when its package is installed, unless this file says no.
policy=/usr/sbin/policy-rc.d
policy_is_ours=false
epmd_was_running=true

keep_services_stopped() {
    if [[ ! -e $policy ]]; then
        policy_is_ours=true
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    epmd_runs || epmd_was_running=false
}

restore() {
    if $policy_is_ours; then
        rm -f "$policy"
    fi
    # RabbitMQ's installation leaves Erlang's port mapper running; it refuses to go while a node uses it.
    if ! $epmd_was_running && epmd_runs; then
        epmd -kill >/dev/null || true
    fi
}

epmd_runs() {
    command -v epmd >/dev/null && epmd -names >/dev/null 2>&1
}

stop() {
    echo "error: $1" >&2
    exit 69
}

main "$@"
