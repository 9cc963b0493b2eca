"""Systems of record: what trackers are about is kept there."""
