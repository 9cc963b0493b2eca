"""An emulator of Airtable's web API, for the real pyairtable client over HTTP.

    with Airtable() as airtable:
        base = airtable.base("appStudio")
        pyairtable.Api("any token", endpoint_url=airtable.url).table("appStudio", "Films").all()

It does records (list, create, update, upsert, delete), bases, tables and fields, and answers 501 to
all else. Limits, tokens and faults are configuration; people edit through Python methods. Words of
errors are those that Airtable's documentation and its users quote. Three are not on record and are
a guess: what a full base says, what an upsert with several matches says, what deleting a record that
is gone says.
"""

from genesis.testing.airtable.model import Base, Record, Table
from genesis.testing.airtable.server import Airtable, Limits

__all__ = ["Airtable", "Base", "Limits", "Record", "Table"]
