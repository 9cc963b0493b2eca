"""What other libraries lose of a workbook: it is kept, and follows its rows.

The workbook here is made by hand with the parts that Excel 365 writes: threaded comments, a
sparkline, a drop-down from another tab, a picture, formulas with results, and one nobody knows.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest

from genesis.sinks.workbook.book import Book
from genesis.sinks.workbook.package import NotAWorkbook, Package, parse, serialise

THREAD = (
    '<ThreadedComments xmlns="http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments">'
    '<threadedComment ref="B3" dT="2026-01-01T00:00:00" personId="{P}" id="{1}"><text>why?</text></threadedComment>'
    '<threadedComment ref="B3" dT="2026-01-01T00:00:01" personId="{P}" id="{2}" parentId="{1}"><text>so</text></threadedComment>'
    '<threadedComment ref="B2" dT="2026-01-01T00:00:02" personId="{P}" id="{3}"><text>gone</text></threadedComment>'
    "</ThreadedComments>"
)
EXTENSIONS = (
    '<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}" xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main">'
    '<x14:dataValidations xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main" count="1"><x14:dataValidation type="list">'
    "<x14:formula1><xm:f>Lists!$A$1:$A$3</xm:f></x14:formula1><xm:sqref>H2:H3</xm:sqref></x14:dataValidation></x14:dataValidations></ext>"
    '<ext uri="{05C60535-1F16-4fd2-B633-F4F36F0B64E0}" xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main">'
    '<x14:sparklineGroups xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"><x14:sparklineGroup><x14:sparklines>'
    "<x14:sparkline><xm:f>Productions!C2:D2</xm:f><xm:sqref>J2</xm:sqref></x14:sparkline>"
    "<x14:sparkline><xm:f>Productions!C3:D3</xm:f><xm:sqref>J3</xm:sqref></x14:sparkline>"
    "</x14:sparklines></x14:sparklineGroup></x14:sparklineGroups></ext></extLst>"
)
DRAWING = (
    '<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"><xdr:twoCellAnchor>'
    "<xdr:from><xdr:col>8</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>2</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from>"
    "<xdr:to><xdr:col>9</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>5</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:to>"
    "<xdr:sp/><xdr:clientData/></xdr:twoCellAnchor></xdr:wsDr>"
)
OTHER_TAB = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1">'
    "<f>1+1</f><v>2</v></c></row></sheetData></worksheet>"
)
TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
THREADS = "http://schemas.microsoft.com/office/2017/10/relationships"
SHEET = "xl/worksheets/sheet1.xml"
SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"


def enrich(data: bytes) -> bytes:
    """The workbook as Excel would save it after people used what it offers."""
    package = Package(data)
    package.add(
        "xl/threadedComments/threadedComment1.xml",
        THREAD.encode(),
        "application/vnd.ms-excel.threadedcomments+xml",
    )
    package.relate(
        SHEET, "threadedComment", "xl/threadedComments/threadedComment1.xml", namespace=THREADS
    )
    package.add(
        "xl/drawings/drawing1.xml",
        DRAWING.encode(),
        "application/vnd.openxmlformats-officedocument.drawing+xml",
    )
    drawing = package.relate(SHEET, "drawing", "xl/drawings/drawing1.xml")
    package.add("xl/worksheets/sheet9.xml", OTHER_TAB.encode(), SHEET_TYPE)
    other = package.relate("xl/workbook.xml", "worksheet", "xl/worksheets/sheet9.xml")
    package.add(
        "xl/mystery.xml", b"<m xmlns='urn:m'>\r\n<!-- as it is --></m>", "application/mystery+xml"
    )
    package.relate("xl/workbook.xml", "mystery", "xl/mystery.xml", namespace="urn:m")
    sheets = package.edit("xl/workbook.xml").find("sheets")
    assert sheets is not None
    sheets.append(parse(f'<sheet name="Lists" sheetId="9" r:id="{other}"/>'.encode()))
    sheet = serialise(package.edit(SHEET)).decode()
    sheet = sheet.replace("<legacyDrawing", f'<drawing r:id="{drawing}"/><legacyDrawing')
    sheet = sheet.replace("</worksheet>", f"{EXTENSIONS}</worksheet>")
    formula = '<c r="K3" t="str"><f t="shared" ref="K2:K3" si="0"/><v>kept</v></c></row>'
    sheet = re.sub(r"(<row r=\"3\".*?)</row>", rf"\1{formula}", sheet)
    master = '<c r="K2" t="str"><f t="shared" ref="K2:K3" si="0">B2&amp;"!"</f><v>x</v></c></row>'
    sheet = re.sub(r"(<row r=\"2\".*?)</row>", rf"\1{master}", sheet)
    package.replace(SHEET, sheet.encode())
    return package.save()


@pytest.fixture
def excel(desk: Any, film: Any) -> Any:
    """A tracker of two rows that Excel saved; then the first row goes and one comes."""
    desk.refresh([film("a"), film("b")])
    desk.path.write_bytes(enrich(desk.path.read_bytes()))
    assert desk.refresh([film("a"), film("b")]).writes == 0
    desk.before = Package(desk.path.read_bytes())
    desk.refresh([film("b"), film("c")])
    desk.after = Package(desk.path.read_bytes())
    return desk


def text(excel: Any, part: str = SHEET) -> str:
    return excel.after.data(part).decode()


def test_threads_of_comments(excel: Any) -> None:
    """A thread stays with its row, one whose row is gone goes."""
    thread = text(excel, "xl/threadedComments/threadedComment1.xml")
    assert thread.count('ref="B2"') == 2
    assert "gone" not in thread


def test_sparklines_and_drop_downs(excel: Any) -> None:
    """Extensions of the format follow like its first rules."""
    assert "<xm:f>Lists!$A$1:$A$3</xm:f></x14:formula1><xm:sqref>H2:H3</xm:sqref>" in text(excel)
    assert "<xm:f>Productions!C2:D2</xm:f><xm:sqref>J2</xm:sqref>" in text(excel)
    assert text(excel).count("<x14:sparkline>") == 1


def test_pictures(excel: Any) -> None:
    """They stay beside their row, as large as they were."""
    assert re.findall(r"<xdr:row>(\d+)", text(excel, "xl/drawings/drawing1.xml")) == ["1", "4"]


def test_formulas_keep_their_results(excel: Any) -> None:
    """For all who look without computing: previews, phones, other programs."""
    assert '<f>B2&amp;"!"</f><v>kept</v>' in text(excel)
    assert "fullCalcOnLoad" in text(excel, "xl/workbook.xml")


def test_other_parts_are_untouched(excel: Any) -> None:
    """Byte for byte, known or not."""
    for part in ("xl/mystery.xml", "xl/worksheets/sheet9.xml", "xl/theme/theme1.xml"):
        assert excel.after.data(part) == excel.before.data(part)


def test_the_order_of_elements(excel: Any) -> None:
    """The format has one, and a file with another counts as corrupt."""
    tags = [child.tag for child in excel.after.read(SHEET)]
    order = """
        sheetPr dimension sheetViews sheetFormatPr cols sheetData autoFilter pageMargins drawing
        legacyDrawing extLst
    """
    assert tags == [tag for tag in order.split() if tag in tags]


def test_the_same_changes_give_the_same_bytes(desk: Any, film: Any) -> None:
    """No clock gets into the file."""
    desk.refresh([film("a")])
    before = desk.path.read_bytes()
    desk.refresh([film("b")])
    after = desk.path.read_bytes()
    desk.path.write_bytes(before)
    desk.refresh([film("b")])
    assert desk.path.read_bytes() == after


def test_parts_with_a_prefix(desk: Any, film: Any) -> None:
    """Some programs write `<x:row>`."""
    desk.refresh([film("a")])
    package = Package(desk.path.read_bytes())
    sheet = package.data(SHEET).decode()
    sheet = re.sub(r"<(/?)(?!\?)(?=\w)", r"<\1x:", sheet).replace("xmlns=", "xmlns:x=", 1)
    package.replace(SHEET, sheet.encode())
    desk.path.write_bytes(package.save())
    assert desk.refresh([film("a")]).writes == 0
    desk.refresh([film("a", title="Blue")])
    assert desk.shown()[0]["Title"] == "Blue"


def test_days_that_count_from_1904(desk: Any, film: Any) -> None:
    """As workbooks from old Macs do."""
    desk.refresh([film("a")])
    package = Package(desk.path.read_bytes())
    properties = package.edit("xl/workbook.xml").find("workbookPr")
    assert properties is not None
    properties.set("date1904", "1")
    desk.path.write_bytes(package.save())
    desk.refresh([film("a")])
    assert desk.shown()[0]["Start"] == film("a")["start"]
    assert desk.refresh([film("a")]).writes == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 with a password",
        pytest.param(None, id="a zip of something else"),
    ],
)
def test_what_is_no_workbook(data: bytes | None) -> None:
    """Said as such, whatever is wrong inside."""
    if data is None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("hello.txt", "hello")
        data = buffer.getvalue()
    with pytest.raises(NotAWorkbook):
        Book(data)


def test_document_types_are_not_read() -> None:
    """They are how XML bombs are made."""
    with pytest.raises(NotAWorkbook):
        parse(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')


def test_xml_is_written_as_it_was_read() -> None:
    """Prefixes, namespaces, spaces and line breaks."""
    text = '<a xmlns="u" xmlns:x="v" x:b="1&#10;2&quot;"><x:c> &amp;&#13;\n </x:c>tail<d/></a>'
    assert serialise(parse(text.encode())).decode().partition("?>\n")[2] == text
