"""Functions: how they are called, which are listed, which an engine has."""
