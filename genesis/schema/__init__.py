"""JSON Schemas of the YAML, with a project's own names, for editors.

They are made from the models: `texts` reads what each key means, `shapes` gives what each model
takes, `names` adds the names of a project, `documents` puts whole documents together. A schema is
never stricter than the loader is; where JSON Schema cannot say what the loader checks (a precision
above 38, a password in an address, a `default_target` that is none of the targets), it is more
lenient.
"""
