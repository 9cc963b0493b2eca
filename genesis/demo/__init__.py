"""A made-up studio whose change events land in a lake, so that the worked example has data."""
