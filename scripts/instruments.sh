#!/bin/sh
# The environment of the applications that the tests run: Python's instrumented ones from a lock file into
# .venv/instruments, and, where node is, npm's beside it: one that is instrumented, and the gateway's clients. Of none
# is anything imported by Noria.
set -eu
cd "$(dirname "$0")/.."
place=${1:-.venv/instruments}
python=${PYTHON:-.venv/bin/python}
"$python" -m venv --without-pip --clear "$place"
sh scripts/locked.sh requirements/instruments.txt "$place"
if command -v npm >/dev/null 2>&1; then
    for app in vercel_ai gateway_clients; do
        mkdir -p "$place/$app"
        for file in package.json package-lock.json .npmrc; do
            cp "tests/instrumentations/apps/$app/$file" "$place/$app/"
        done
        (cd "$place/$app" && npm ci --ignore-scripts --silent)
    done
else
    echo "· npm is not installed; the tests of its applications will be skipped"
fi
