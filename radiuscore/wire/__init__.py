"""The RADIUS codec: octets to values and back, sans-IO.

Nothing here opens a socket, reads a clock, draws randomness or keeps state; what varies is an argument.
"""
