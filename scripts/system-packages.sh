#!/bin/sh
# What the tests need beside Python: a PostgreSQL server, chromium and node, from Debian's packages.
# Where they can't be installed, the tests that need them are skipped, and say so.
set -eu
missing=
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="postgresql"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v npm >/dev/null 2>&1 || missing="$missing nodejs npm"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "· installing$missing (Debian packages, once)" | sed 's/installing\([^ ]\)/installing \1/'
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    # shellcheck disable=SC2086
    apt-get -qq install --yes --no-install-recommends $missing >/dev/null
else
    echo "· not installed:$missing; the tests that need it will be skipped (apt-get install $missing)"
fi
