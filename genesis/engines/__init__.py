"""Engines: what runs compiled SQL."""
