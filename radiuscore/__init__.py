"""A RADIUS server that many ISPs share, as a library."""
