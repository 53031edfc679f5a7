#!/bin/sh
# Write requirements/*.txt anew: every version and hash that `make` installs, for Python 3.11 to 3.13, naming no index.
set -eu
cd "$(dirname "$0")/.."
lock() {
    out=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
        --custom-compile-command "make lock" --output-file "requirements/$out.txt" "$@"
}
lock base --group build pyproject.toml
lock demo --group build --extra demo pyproject.toml
lock dev --group build --extra demo --extra postgres --extra clickhouse --extra s3 --extra grpc \
    --extra bedrock --extra secrets --group dev pyproject.toml
lock instruments --group instruments
lock proxies --group proxies
if grep -nE '://' requirements/*.txt; then
    echo "A lock names an address; that must not be committed." >&2
    exit 1
fi
