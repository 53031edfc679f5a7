#!/bin/sh
# The environment of the instrumented applications that the tests run: Python's from a lock file into .venv/instruments,
# and, where node is, npm's beside it. Of neither is anything imported by Noria.
set -eu
cd "$(dirname "$0")/.."
place=${1:-.venv/instruments}
python=${PYTHON:-.venv/bin/python}
"$python" -m venv --clear "$place"
"$place/bin/python" -m pip --disable-pip-version-check -qq install --require-hashes --no-deps --prefer-binary -r requirements/instruments.txt
mkdir -p "$place/vercel_ai"
cp tests/instrumentations/apps/vercel_ai/package.json tests/instrumentations/apps/vercel_ai/package-lock.json \
    tests/instrumentations/apps/vercel_ai/.npmrc "$place/vercel_ai/"
if command -v npm >/dev/null 2>&1; then
    (cd "$place/vercel_ai" && npm ci --ignore-scripts --silent)
else
    echo "· npm is not installed; the test of the Vercel AI SDK will be skipped"
fi
