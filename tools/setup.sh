#!/usr/bin/env bash
# Makes the virtual environment .venv with peerix (editable), its extras and the tools of its developers.
# Needs Python 3.11 or later; on Debian it installs the venv module if that is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=.venv
stamp=$venv/.set-up-from

fail() { echo "setup: $*" >&2; exit 1; }

command -v "$python" >/dev/null || tools/system_packages.sh python3 || true
command -v "$python" >/dev/null || fail "Python 3.11 or later is needed"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$("$python" --version) is too old: 3.11 or later is needed"

# Nothing to do when neither the project's metadata nor the place has changed.
state="$(cksum < pyproject.toml) $PWD"
if [ -x $venv/bin/python ] && [ "$(cat $stamp 2>/dev/null)" = "$state" ]; then exit 0; fi

if ! [ -x $venv/bin/python ]; then
  "$python" -c 'import ensurepip, venv' 2>/dev/null || tools/system_packages.sh python3-venv
  "$python" -m venv $venv
fi
# pip knows dependency groups from 25.1 on.
$venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
$venv/bin/python -m pip install --quiet --editable '.[all]' --group dev
echo "$state" > $stamp
