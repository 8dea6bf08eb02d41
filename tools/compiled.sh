#!/usr/bin/env bash
# Builds the wheel with the compiled core, and installs it into .compiled, beside the editable package of .venv.
# `PYTHONPATH=.compiled` then imports it. Needs a C compiler and Python's headers.
set -euo pipefail
cd "$(dirname "$0")/.."

pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# From a copy: the build moves pyproject.toml away for a while.
mkdir "$folder/source"
cp -r pyproject.toml README.md LICENSE src "$folder/source"
HATCH_BUILD_HOOKS_ENABLE=true "${pip[@]}" wheel --no-deps --wheel-dir "$folder" "$folder/source"
rm -rf .compiled
"${pip[@]}" install --no-deps --target .compiled "$folder"/*.whl
PYTHONPATH=.compiled .venv/bin/python - <<'PYTHON'
from peerix.core.sctp import association

assert association.__file__.endswith((".so", ".pyd")), f"{association.__file__} is not compiled"
PYTHON
