"""A page that shares a room with Python peers: `python -m examples.browser`."""
