"""An .xlsx file edited in place: cells of one tab change, and all that refers to them follows.

| module      | holds                                                                        |
|-------------|------------------------------------------------------------------------------|
| package     | the zip of XML parts that a workbook is                                      |
| book        | what the parts of a workbook share: tabs, texts, styles, properties          |
| tab         | the cells of one tab, by row and column                                      |
| references  | where rows and columns went, and references that follow them                 |
| follow      | everything outside the cells that refers to the tab                          |
| note        | the note on a header cell                                                    |
| archive     | the tab of rows that left the report                                         |
| annotations | columns that people fill in                                                  |

Why not load and save with openpyxl, which the rest of Python does: it drops what it does not know.
Threaded comments, sparklines, newer rules and drop-downs, pictures, shapes and the last results of
every formula on every tab are gone after its save, and people made them. Here a part that nobody
needs to touch passes through byte for byte. openpyxl makes new workbooks and reads formulas.
"""
