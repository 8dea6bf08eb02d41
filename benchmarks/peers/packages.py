"""Whether stacks that are no Python can be measured here; those of npm are installed on first use."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

NODE = Path(__file__).with_name("node")
NPM_PACKAGES = {"wrtc": "@roamhq/wrtc", "node-datachannel": "node-datachannel"}
INSTALL_TIMEOUT = 300.0  # seconds


def missing(stack: str) -> str | None:
    """Why a stack cannot be measured here, with how to get it; None when it can be."""
    if stack == "chromium":
        return None if shutil.which("chromium") else "Chromium is not installed (Debian: apt-get install chromium)"
    if stack in NPM_PACKAGES:
        return install_packages(NODE)
    return None


def version(stack: str) -> str:
    """Name the version of an installed stack."""
    if stack == "chromium":
        done = subprocess.run(["chromium", "--version"], capture_output=True, text=True, check=False)
        return done.stdout.strip() or "chromium (unknown)"
    name = NPM_PACKAGES[stack]
    package = json.loads((NODE / "node_modules" / name / "package.json").read_text(encoding="utf-8"))
    return f"{name} {package['version']}"


def install_packages(folder: Path) -> str | None:
    """Install what the folder's package-lock.json says, unless that is there already; says what went wrong."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "Node.js is not installed (Debian: apt-get install nodejs npm)"
    stamp = folder / "node_modules" / ".peerix-lock"
    with (folder / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # processes beside this one want it, too
        content = lock.read()
        if stamp.exists() and stamp.read_bytes() == content:
            return None
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            return "npm ci took too long"
        if done.returncode:
            return f"npm ci failed: {done.stderr[-500:].strip()}"
        stamp.write_bytes(content)
    return None
