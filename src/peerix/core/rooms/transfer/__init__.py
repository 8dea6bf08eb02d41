"""Messages over one data channel: cut into packets, acknowledged, interleaved, bounded."""
