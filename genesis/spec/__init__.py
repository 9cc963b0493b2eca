"""What the YAML may say: strict, frozen models, one file per kind of document."""
