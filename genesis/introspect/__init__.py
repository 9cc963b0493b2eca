"""Drafts of data sources, from tables that are there: what is declared, else what the data says, with the evidence."""
