"""Rooms of peers that share data channels, files, audio and video over WebRTC."""
