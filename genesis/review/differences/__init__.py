"""What a change does to one report, in words.

| module     | tells of                                                      |
|------------|---------------------------------------------------------------|
| difference | one of them: its kind, its sentence, what it puts at risk      |
| reports    | two reports: all of them, the gravest first                    |
| grain      | what one row is, and by what rows are known                    |
| columns    | which there are, what they hold, how they look                 |
| filters    | the conditions that choose records, or rows                    |
| joins      | which are made, and how                                        |
| records    | of data sources: where they are, which of them count           |
| order      | the order of rows, and how many there are at most              |
| settings   | time zone and parameters                                       |
"""
