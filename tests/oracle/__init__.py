"""What definitions mean, read from the language and not from the compiler.

Dicts and loops over rows, without SQL and without a line of `genesis.compile`: `language` holds the
definitions as values and writes them as YAML, `meaning` interprets them, `examples` makes them up.
"""
