#!/bin/sh
# Servers of others that tests call as upstreams, hash-checked into .venv/proxies. Nothing of them is imported by Noria.
set -eu
cd "$(dirname "$0")/.."
place=${1:-.venv/proxies}
python=${PYTHON:-.venv/bin/python}
"$python" -m venv --without-pip --clear "$place"
sh scripts/locked.sh requirements/proxies.txt "$place"
