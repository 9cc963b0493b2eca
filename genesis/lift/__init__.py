"""Hand-written report SQL -> data sources and an input. PURE: what a table holds is asked of `Facts`."""
