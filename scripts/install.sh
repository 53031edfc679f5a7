#!/bin/sh
# Install a lock file and Noria itself into .venv. pip's own settings (index, proxy, certificates) apply.
set -eu
cd "$(dirname "$0")/.."
pip=".venv/bin/python -m pip --disable-pip-version-check -qq"
case $1 in
    *dev.txt) sh scripts/locked.sh "$1" ;;
    *) $pip install --require-hashes --no-deps --prefer-binary -r "$1" ;;
esac
$pip install --no-deps --no-build-isolation --editable .
