"""What only the media extra installs."""

from __future__ import annotations

import subprocess
import sys


def test_media_of_sessions_is_importable_without_libsrtp() -> None:
    code = "import sys; sys.modules['pylibsrtp'] = None; import peerix.core.session.media"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
