"""What one process remembers. No sockets, no SQL, no clock: time is an argument."""
