"""A datagram in, a reply out. No sockets, no SQL, no wall clock."""
