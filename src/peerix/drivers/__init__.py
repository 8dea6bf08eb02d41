"""Signalling drivers: how the packets of a room travel before its peers are connected."""
