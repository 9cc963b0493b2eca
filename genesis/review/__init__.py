"""PURE: what a report is made of, and what a change does to it, told from what the compiler resolved.

| module   | tells                                                                    |
|----------|--------------------------------------------------------------------------|
| graph    | which part of a plan a column comes from, and through which definitions  |
| report   | one reading of an input: its plan, its statement, each made once          |
| askers   | who asked for a join or a branch: columns, filters, sort keys, other joins |
| lineage  | of one column: its values down to table columns, and what chooses rows   |
| explain  | of an input: its grain, each join and who asked for it, what was pruned  |
| expand   | an expression without the plan round it, so that two reports can be compared |
| conditions | whether one condition is surely true only where another is             |
| differences/ | what a change does to one report                                     |
| risks    | what that puts at risk in a tracker, and what would be held there         |
| impact   | what a data source, a member of one, a table or a column reaches         |
| trackers | which trackers show an input, where they are, who answers for them       |
| picture  | a lineage as boxes and arrows; as Mermaid                                |
| drawing  | a picture as SVG                                                         |
| words    | any of them, as a colleague would write it                               |
| facts    | any of them, as plain data for machines                               |
| changed  | a change of trackers, as values: added, removed, changed, and why        |
| pieces   | what a project is made of, and which pieces a report may rest on          |
| sides    | one of two projects: its trackers and reports, and what each compiles to  |
| diff     | two projects -> what changes between them                                |
| row_changes | how the rows of a report differ, by key                               |
| reviewed | a change with its risks and rows, and the sentences that tell of it        |
| comment  | that, as the comment of a pull request                                    |
| page     | that, as one HTML file                                                    |
| touched  | what was edited and has no effect                                        |
"""
