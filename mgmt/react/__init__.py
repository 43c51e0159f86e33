"""What happens to customers who are online when something changes: planned by one leader, sent by each node.

The leader (`leading`) compares what a session was granted with what it should have and writes wishes; a node's sender
(`sender`) does the smallest thing that fulfils one, and writes what came of it.
"""
