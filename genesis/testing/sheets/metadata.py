"""Developer metadata: values of ours that stay with a spreadsheet, a tab, a row or a column.

Metadata of PROJECT visibility is seen by everyone here; the emulator has one project.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from genesis.testing.sheets.a1 import Area
from genesis.testing.sheets.answers import Json, bad, unimplemented
from genesis.testing.sheets.grid import Book, Dimension, Metadata, Tab
from genesis.testing.sheets.masks import Mask


def create(book: Book, given: Json) -> Metadata:
    """Add a piece of metadata. Raises `ApiError` for an incomplete one or a full place."""
    if not given.get("metadataKey"):
        raise bad("Developer metadata must have a key specified.")
    if given.get("visibility") not in ("DOCUMENT", "PROJECT"):
        raise bad("Developer metadata must have visibility specified.")
    id = given.get("metadataId") or book.new_id()
    if id < 0:
        raise bad("Developer metadata ids must be positive.")
    if id in book.metadata:
        raise bad(
            f"Cannot add developer metadata with ID [{id}] because developer metadata with that ID "
            "already exists."
        )
    value = given.get("metadataValue", "")
    found = Metadata(id, given["metadataKey"], value, given["visibility"])
    return _store(book, _placed(book, found, given.get("location") or {}))


def update(book: Book, filters: list[Json], given: Json, mask: Mask) -> list[Metadata]:
    """Change what the mask names of all that matches."""
    updated = []
    for piece in [piece for piece, _ in search(book, filters)]:
        if _named(mask, "metadataId") and given.get("metadataId", piece.id) != piece.id:
            raise unimplemented("a change of `metadataId`")
        for name, attribute in (("metadataKey", "key"), ("metadataValue", "value")):
            if _named(mask, name):
                piece = replace(piece, **{attribute: given.get(name, "")})
        if _named(mask, "visibility"):
            piece = replace(piece, visibility=given.get("visibility", ""))
        if _named(mask, "location"):
            piece = _placed(book, piece, given.get("location") or {})
        updated.append(_store(book, piece))
    return updated


def _named(mask: Mask, name: str) -> bool:
    return "*" in mask or name in mask


def _store(book: Book, piece: Metadata) -> Metadata:
    book.metadata[piece.id] = piece
    place = [other for other in book.metadata.values() if other.tab == piece.tab]
    if sum(len(other.key) + len(other.value) for other in place) > book.limits.metadata_characters:
        where = "spreadsheet" if piece.tab is None else "sheet"
        raise bad(
            f"Developer metadata of a {where} cannot have more than "
            f"{book.limits.metadata_characters} characters."
        )
    return piece


def _placed(book: Book, piece: Metadata, location: Json) -> Metadata:
    if location.get("spreadsheet"):
        return replace(piece, tab=None, dimension=None, line=None)
    if dimension_range := location.get("dimensionRange"):
        tab = book.tab(dimension_range.get("sheetId", 0))
        dimension = dimension_of(dimension_range)
        start, end = dimension_range.get("startIndex", 0), dimension_range.get("endIndex")
        if end != start + 1:
            raise bad("A developer metadata location must be a single row or column.")
        lines = tab.lines(dimension)
        if start >= len(lines):
            raise bad(f"There is no {dimension.lower()[:-1]} {start}.")
        return replace(piece, tab=tab.id, dimension=dimension, line=lines[start].id)
    if "sheetId" in location:
        return replace(piece, tab=book.tab(location["sheetId"]).id, dimension=None, line=None)
    raise bad("Developer metadata must have a location specified.")


def dimension_of(given: Json) -> Dimension:
    """ROWS or COLUMNS. Raises `ApiError` where neither is given."""
    match given.get("dimension"):
        case "ROWS":
            return "ROWS"
        case "COLUMNS":
            return "COLUMNS"
    raise bad("The dimension must be ROWS or COLUMNS.")


def described(book: Book, piece: Metadata) -> Json:
    """A piece of metadata as answers hold it."""
    result: Json = {"metadataId": piece.id, "metadataKey": piece.key}
    if piece.value:
        result["metadataValue"] = piece.value
    location: Json = {"locationType": piece.kind}
    if piece.tab is None:
        location["spreadsheet"] = True
    elif piece.dimension is None:
        location["sheetId"] = piece.tab
    else:
        at = position(book.tab(piece.tab), piece.dimension, piece)
        location["dimensionRange"] = ranged(piece.tab, piece.dimension, at, at + 1)
    return result | {"location": location, "visibility": piece.visibility}


def ranged(tab: int, dimension: Dimension, start: int, end: int) -> Json:
    """A DimensionRange; zeros are left out, as Google may."""
    whole = {"sheetId": tab, "dimension": dimension, "startIndex": start, "endIndex": end}
    return {name: value for name, value in whole.items() if value != 0}


def position(tab: Tab, dimension: Dimension, piece: Metadata) -> int:
    """Where the row or column is that a piece of metadata belongs to."""
    return next(at for at, line in enumerate(tab.lines(dimension)) if line.id == piece.line)


def search(book: Book, filters: list[Json]) -> Iterator[tuple[Metadata, list[Json]]]:
    """The metadata that any filter finds, each once, with the filters that found it."""
    for piece in list(book.metadata.values()):
        if matching := [given for given in filters if _matches(book, piece, given)]:
            yield piece, matching


def _matches(book: Book, piece: Metadata, given: Json) -> bool:
    match given:
        case {"developerMetadataLookup": lookup}:
            return _looked_up(book, piece, lookup)
        case {"a1Range": text}:
            tab, area = book.find(text)
            return _touches(piece, tab, area)
        case {"gridRange": grid_range}:
            tab = book.tab(grid_range.get("sheetId", 0))
            return _touches(piece, tab, area_of(grid_range))
    raise bad("A data filter must have a criterion.")


def _touches(piece: Metadata, tab: Tab, area: Area) -> bool:
    if piece.tab != tab.id or piece.dimension is None:
        return False
    return covered(tab, piece).touches(area)


def covered(tab: Tab, piece: Metadata) -> Area:
    """The cells of the row, column or tab that a piece of metadata belongs to."""
    if piece.dimension is None:
        return Area()
    at = position(tab, piece.dimension, piece)
    if piece.dimension == "ROWS":
        return Area(top=at, bottom=at + 1)
    return Area(left=at, right=at + 1)


def _looked_up(book: Book, piece: Metadata, lookup: Json) -> bool:
    wanted = {
        "metadataId": piece.id,
        "metadataKey": piece.key,
        "metadataValue": piece.value,
        "visibility": piece.visibility,
        "locationType": piece.kind,
    }
    if any(lookup[name] != value for name, value in wanted.items() if name in lookup):
        return False
    location = lookup.get("metadataLocation")
    if location is None:
        return True
    place = _placed(book, replace(piece), location)
    same = (place.tab, place.dimension, place.line) == (piece.tab, piece.dimension, piece.line)
    if same or lookup.get("locationMatchingStrategy") == "EXACT_LOCATION":
        return same
    if place.tab is None or piece.tab != place.tab:
        return False
    tab = book.tab(place.tab)
    return covered(tab, piece).touches(covered(tab, place))


def area_of(given: Json) -> Area:
    """The area of a GridRange."""
    return Area(
        given.get("startRowIndex", 0),
        given.get("startColumnIndex", 0),
        given.get("endRowIndex"),
        given.get("endColumnIndex"),
    )


def grid_range(tab: int, area: Area) -> Json:
    """A GridRange; zeros are left out, as Google may."""
    whole = {
        "sheetId": tab,
        "startRowIndex": area.top,
        "endRowIndex": area.bottom,
        "startColumnIndex": area.left,
        "endColumnIndex": area.right,
    }
    return {name: value for name, value in whole.items() if value}
