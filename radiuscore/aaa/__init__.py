"""Decisions: pure functions on immutable records; no I/O, no clock, no state: each is tested by calling it."""
