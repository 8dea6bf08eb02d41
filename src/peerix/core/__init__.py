"""The protocols, sans-I/O: no event loop, socket, clock, thread or logger."""
