"""Sinks: the kinds of places where trackers live."""
