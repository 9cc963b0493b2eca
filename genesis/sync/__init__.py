"""PURE: rows wanted + cells present -> changes; value encoding; guards."""
