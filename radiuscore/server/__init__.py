"""Sockets, tasks, processes: where the engine meets the store and the network."""
