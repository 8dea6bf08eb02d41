#!/usr/bin/env bash
# Installs Debian packages: those named, or without arguments the programs of tests/support/system-packages.txt
# that are missing. Without root or password-less sudo it prints what to install.
set -uo pipefail
cd "$(dirname "$0")/.."

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
packages=("$@")
if [ $# -eq 0 ]; then
  while read -r program package; do
    command -v "$program" >/dev/null || packages+=("$package")
  done < <(grep -v '^ *#' tests/support/system-packages.txt)
fi
[ ${#packages[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
  echo "To install by hand (tests that need them are skipped until then): ${packages[*]}" >&2
  echo "  on Debian and Ubuntu: sudo apt-get install ${packages[*]}" >&2
  exit 1
fi

# The servers are for the tests, which start their own: none is to run as a service.
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --no-install-recommends -qq "${packages[@]}" >/dev/null
}
echo "Installing: ${packages[*]}"
install 2>/dev/null || { "${as_root[@]}" apt-get update -qq && install; }
