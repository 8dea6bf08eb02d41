#!/usr/bin/env bash
# Proves a clean checkout: clones HEAD, with an empty HOME and no virtual environment, runs the README's commands as
# they are written there, the demo, and a part of the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$("${PYTHON:-python3}" -c 'import sys; print(sys._base_executable)')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone --quiet --no-hardlinks . "$folder/peerix"
mkdir -m 700 "$folder/home"

unset VIRTUAL_ENV PYTHONPATH PYTHONHOME MAKEFLAGS MAKELEVEL XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR
export HOME=$folder/home PYTHON=$python PATH="$(dirname "$python"):$PATH"
cd "$folder/peerix"

echo "== the README's commands, at $(git rev-parse --short HEAD)"
"$python" -m tools.readme README.md > "$folder/readme.sh"
timeout --kill-after=5 300 bash "$folder/readme.sh"
echo "== make demo"
timeout 120 make --silent demo
echo "== make test, a part of it that uses sockets and processes"
make --silent test ARGS="-q tests/conformance tests/rtc tests/api/test_rooms.py tests/api/test_processes.py"
# What the README's commands make beside it is theirs; nothing that is in the repository may have changed.
changed=$(git status --porcelain --untracked-files=no)
[ -z "$changed" ] || { echo "the checkout has changed: $changed"; exit 1; }
echo "fresh: all of it works"
