"""The wire protocols of Peerix rooms: signalling, control channel and transfers."""
