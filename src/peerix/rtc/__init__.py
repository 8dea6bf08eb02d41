"""WebRTC objects on AnyIO: connections, data channels and UDP ports."""
