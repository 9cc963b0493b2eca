"""Audits: is the lake what the systems of record say it is? Two sides, a comparison, a decision."""
