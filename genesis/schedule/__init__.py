"""When things are due, and what follows from it: pure decisions, each over values and a moment that is handed in.

`fires` tells the moments of a schedule, `due` what of them is to be run and what was missed, `order` which of the
runs may start, `late` when a tracker is, `retries` what is tried again. Nothing here reads a clock or a ledger.
"""
