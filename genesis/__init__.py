"""genesis keeps trackers in step with what YAML definitions mean."""
