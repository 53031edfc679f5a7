#!/bin/sh
# Install a lock file for those who work on Noria, hash-checked, into .venv or another environment. uv does it, which
# fetches many at once and takes a tenth of pip's CPU; pip fetches uv from the lock, and does it all where uv can't.
# pip's index, its proxy and its certificates apply to both. Bytecode is left to the first import.
set -eu
cd "$(dirname "$0")/.."
lock=$1
place=${2:-.venv}
pip=".venv/bin/python -m pip --disable-pip-version-check -qq"
uv=.venv/bin/uv
if [ ! -x $uv ]; then
    awk '/^uv==/ { found = 1 } found; found && !/\\$/ { exit }' requirements/dev.txt |
        $pip install --require-hashes --no-deps -r /dev/stdin
fi
settings=$(.venv/bin/python -m pip --disable-pip-version-check config list)
said() { printf '%s\n' "$settings" | sed -n -e "s/^:env:\.$1='\(.*\)'\$/\1/p" -e "s/^global\.$1='\(.*\)'\$/\1/p" | head -n 1; }
index=$(said index-url) certificates=$(said cert) proxy=$(said proxy)
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
[ -z "$certificates" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificates}"
[ -z "$proxy" ] || export HTTPS_PROXY="${HTTPS_PROXY:-$proxy}" HTTP_PROXY="${HTTP_PROXY:-$proxy}"
if ! $uv pip install --quiet --require-hashes --no-deps --python "$place/bin/python" -r "$lock"; then
    echo "· uv could not install $lock; now with pip, which takes longer"
    $pip --python "$place/bin/python" install --require-hashes --no-deps --prefer-binary -r "$lock"
fi
