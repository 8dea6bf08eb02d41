"""Media over RTP, without I/O: packets, RTCP, routing, statistics, loss repair, buffers, payload formats.

`packet`, `header_extensions` and `rtcp` are the wire; what is built on them has a module each.
"""
