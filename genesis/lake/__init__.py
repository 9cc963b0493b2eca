"""Iceberg: the catalog, change logs, and how they are read."""
