#!/bin/sh
# Servers of others that tests call as upstreams, hash-checked into .venv/proxies. Nothing of them is imported by Noria.
set -eu
cd "$(dirname "$0")/.."
place=${1:-.venv/proxies}
python=${PYTHON:-.venv/bin/python}
"$python" -m venv --clear "$place"
"$place/bin/python" -m pip --disable-pip-version-check -qq install --require-hashes --no-deps --prefer-binary -r requirements/proxies.txt
