"""PURE: what a report is made of, told from what the compiler resolved.

| module   | tells                                                                    |
|----------|--------------------------------------------------------------------------|
| graph    | which part of a plan a column comes from, and through which definitions  |
| askers   | who asked for a join or a branch: columns, filters, sort keys, other joins |
| lineage  | of one column: its values down to table columns, and what chooses rows   |
| explain  | of an input: its grain, each join and who asked for it, what was pruned  |
| words    | either of them, as a colleague would write it                            |
| facts    | either of them, as plain data for machines                               |
"""
