"""Emulators of services that trackers live in, for tests and for trying genesis without an account."""
