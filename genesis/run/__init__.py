"""Jobs and their runs: the ledger that remembers, the runner that does."""
