"""The zip of XML parts that a workbook is.

A part that nobody edits is written as it was read, byte for byte. The surprise: XML is kept as
text with its prefixes (`x14:id` is a tag), because Office names prefixes in attribute values, and
a parser that resolves them writes others.
"""

from __future__ import annotations

import gc
import io
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
CONTENT_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"

_CONTENT_TYPES = "[Content_Types].xml"
_HEADER = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip's first day: the same workbook gives the same bytes


# What Python's zip reader says of a file that is no zip, has a password, is cut off or damaged.
_DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


class NotAWorkbook(ValueError):
    """The bytes are no zip of well-formed XML parts, as a workbook is."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What one part says of another: the last word of its type, and the part's name."""

    id: str
    kind: str
    target: str


class Package:
    """The parts of a workbook by name, each parsed when it is asked for."""

    def __init__(self, data: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                self._infos = {info.filename: info for info in archive.infolist()}
                self._parts = {name: archive.read(name) for name in self._infos}
        except _DAMAGED as error:
            raise NotAWorkbook(str(error)) from error
        self._trees: dict[str, Element] = {}
        self._edited: set[str] = set()

    def __contains__(self, part: str) -> bool:
        return part in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._parts))

    def data(self, part: str) -> bytes:
        """The bytes a part was read as."""
        return self._parts[part]

    def read(self, part: str) -> Element:
        """The XML of a part, to look at."""
        if part not in self._parts:
            raise NotAWorkbook(f"it has no part {part}")
        if part not in self._trees:
            self._trees[part] = parse(self._parts[part])
        return self._trees[part]

    def edit(self, part: str) -> Element:
        """The XML of a part, to change."""
        self._edited.add(part)
        return self.read(part)

    def replace(self, part: str, data: bytes) -> None:
        self._parts[part] = data
        self._trees.pop(part, None)
        self._edited.discard(part)

    def add(self, part: str, data: bytes, content_type: str) -> None:
        """A new part; parts whose extension has a type of its own (`vml`) share it."""
        self.replace(part, data)
        types = self.edit(_CONTENT_TYPES)
        extension = part.rsplit(".", 1)[-1]
        if extension == "xml":
            attributes = {"PartName": f"/{part}", "ContentType": content_type}
            types.append(Element("Override", attributes))
        elif not any(known.get("Extension", "").lower() == extension for known in types):
            attributes = {"Extension": extension, "ContentType": content_type}
            types.insert(0, Element("Default", attributes))

    def remove(self, part: str, *, by: str) -> None:
        """Take a part out, and what the part `by` says of it."""
        self._parts.pop(part)
        self._trees.pop(part, None)
        self._edited.discard(part)
        types = self.edit(_CONTENT_TYPES)
        _drop(types, [item for item in types if item.get("PartName") == f"/{part}"])
        relations = self.edit(_relations_of(by))
        gone = {relation.id for relation in self.relations(by) if relation.target == part}
        _drop(relations, [item for item in relations if item.get("Id") in gone])

    def relations(self, part: str) -> list[Relation]:
        """The other parts that a part uses; links to the world outside are none."""
        if _relations_of(part) not in self._parts:
            return []
        folder = posixpath.dirname(part)
        return [
            Relation(
                item.get("Id", ""),
                item.get("Type", "").rsplit("/", 1)[-1],
                posixpath.normpath(posixpath.join("/", folder, item.get("Target", ""))).lstrip("/"),
            )
            for item in self.read(_relations_of(part))
            if item.get("TargetMode") != "External"
        ]

    def related(self, part: str, kind: str) -> list[str]:
        """Parts of one kind that a part uses and that are there."""
        return [
            relation.target
            for relation in self.relations(part)
            if relation.kind == kind and relation.target in self._parts
        ]

    def relate(self, part: str, kind: str, target: str, *, namespace: str = RELATIONS) -> str:
        """Let a part use another, and give the id by which it does."""
        name = _relations_of(part)
        if name not in self._parts:
            self.replace(name, f'<Relationships xmlns="{PACKAGE_RELATIONS}"/>'.encode())
        relations = self.edit(name)
        taken = {item.get("Id") for item in relations}
        id_ = next(f"rId{n}" for n in range(1, len(taken) + 2) if f"rId{n}" not in taken)
        attributes = {"Id": id_, "Type": f"{namespace}/{kind}", "Target": f"/{target}"}
        relations.append(Element("Relationship", attributes))
        return id_

    def free(self, pattern: str) -> str:
        """The first name of the pattern `xl/comments{}.xml` that no part has."""
        return next(
            name
            for number in range(1, len(self._parts) + 2)
            if (name := pattern.format(number)) not in self._parts
        )

    def save(self) -> bytes:
        """The workbook with its edits."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in self._parts.items():
                info = zipfile.ZipInfo(
                    name, self._infos[name].date_time if name in self._infos else _EPOCH
                )
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                edited = name in self._edited
                archive.writestr(info, serialise(self._trees[name]) if edited else data)
        return buffer.getvalue()


def parse(data: bytes) -> Element:
    """The tree of an XML part: tags and attributes as written, prefixes and all."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
        root = builder.close()
    except (expat.ExpatError, AssertionError, LookupError) as error:  # the last: of an encoding
        raise NotAWorkbook(str(error)) from error
    return _without_prefix(root) if ":" in root.tag else root


@contextmanager
def paused_collector() -> Iterator[None]:
    """No search for garbage while a tree of a million living things grows: it takes half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _refuse_doctype(*_: object) -> None:
    raise NotAWorkbook("a part declares a document type")


def _without_prefix(root: Element) -> Element:
    """A part whose own namespace has a prefix (`x:row`), with that as the default instead."""
    prefix = root.tag.split(":", 1)[0]
    namespace = root.attrib.get(f"xmlns:{prefix}", "")
    if namespace not in (MAIN, PACKAGE_RELATIONS, CONTENT_TYPES) or "xmlns" in root.attrib:
        return root
    root.set("xmlns", namespace)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{prefix}:")
    return root


def serialise(root: Element) -> bytes:
    """The bytes of an XML part."""
    pieces = [_HEADER]
    _write(root, pieces.append)
    return "".join(pieces).encode("utf-8")


_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = _TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
_text_is_special = re.compile(r"[&<>\r]").search
_attribute_is_special = re.compile(r'[&<>\r\n\t"]').search


def _write(element: Element, out: Callable[[str], None]) -> None:
    # ElementTree's own writer wants namespaces resolved, and takes longer.
    attributes = "".join(
        f' {name}="{value.translate(_ATTRIBUTE) if _attribute_is_special(value) else value}"'
        for name, value in element.attrib.items()
    )
    text = element.text
    if text or len(element):
        out(f"<{element.tag}{attributes}>")
        if text:
            out(text.translate(_TEXT) if _text_is_special(text) else text)
        for child in element:
            _write(child, out)
        out(f"</{element.tag}>")
    else:
        out(f"<{element.tag}{attributes}/>")
    if element.tail:
        out(element.tail.translate(_TEXT) if _text_is_special(element.tail) else element.tail)


def _drop(parent: Element, children: list[Element]) -> None:
    for child in children:
        parent.remove(child)


def _relations_of(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def local(tag: str) -> str:
    """A tag without its prefix."""
    return tag.rsplit(":", 1)[-1]


def child_of(parent: Element, tag: str) -> Element:
    """The child with this tag, added behind the others if there is none."""
    child = parent.find(tag)
    if child is None:
        child = Element(tag)
        parent.append(child)
    return child
