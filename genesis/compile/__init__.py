"""PURE: an input and its project -> SQL.

| stage    | does                                   | gives                                    |
|----------|----------------------------------------|------------------------------------------|
| resolve  | binds every name to a path of joins    | Query: columns, filters, sort, branches  |
| plan     | orders what the query needs            | Plan: blocks, each one SELECT            |
| passes   | rewrites the plan                      | Plan                                     |
| render   | writes the plan for one dialect        | Statement: SQL text, columns, scans      |
"""
