"""LibreOffice opens a tracker, saves it its own way, and nothing has changed."""

from __future__ import annotations

import shutil
import subprocess
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment

from genesis.sinks.workbook.package import Package

SOFFICE = shutil.which("soffice")


def test_what_libreoffice_writes(desk: Any, film: Any) -> None:
    """Truth as a formula, notes without their author, and a format of its own called General."""
    desk.refresh([film("a"), film("b", late=True)])
    with desk.person() as sheet:
        sheet["E2"], sheet["E3"] = "=FALSE()", "=TRUE()"
        sheet["A1"].comment = Comment(sheet["A1"].comment.text, "")
    package = Package(desk.path.read_bytes())
    styles = package.edit("xl/styles.xml")
    for style in styles.iterfind("cellXfs/xf"):
        if style.get("numFmtId") == "0":
            style.set("numFmtId", "999")
    formats = styles.find("numFmts")
    assert formats is not None
    known = {"numFmtId": "999", "formatCode": "General"}
    formats.append(formats[0].makeelement("numFmt", known))
    desk.path.write_bytes(package.save())
    assert desk.refresh([film("a"), film("b", late=True)]).writes == 0
    desk.refresh([film("a"), film("b", late=True), film("c")])
    sheet = desk.sheet()
    assert sheet["C4"].number_format == "mm/dd/yyyy"
    assert sheet["B1"].comment is None


@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_a_round_through_libreoffice(desk: Any, film: Any, tmp_path: Any) -> None:
    """Before and after a change of the data."""
    rows = [film("a"), film("b", late=True), film("c", title="=1+1", budget=Decimal("0.1"))]
    newer = [rows[1], film("d")]
    desk.refresh(rows)
    with desk.person() as sheet:
        sheet["G1"], sheet["G3"], sheet["H3"] = "Notes", "mine", "=D3*2"
        sheet["B3"].comment = Comment("why?", "Ann")
    through_libreoffice(desk, tmp_path)
    receipt = desk.refresh(newer)
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (1, 0, 2)
    through_libreoffice(desk, tmp_path)
    receipt = desk.refresh(newer)
    assert (receipt.writes, receipt.human_edits, receipt.notes) == (0, (), ())
    sheet = desk.sheet()
    assert [row["Id"] for row in desk.shown()] == ["b", "d"]
    assert sheet["G2"].value == "mine"
    assert sheet["H2"].value == "=D2*2"
    assert openpyxl.load_workbook(desk.path, data_only=True)["Productions"]["H2"].value == 2001
    notes = {cell.coordinate: cell.comment.text for row in sheet for cell in row if cell.comment}
    assert notes == {"A1": "Productions\nKept by genesis", "B2": "why?"}


def through_libreoffice(desk: Any, folder: Any) -> None:
    profile = f"-env:UserInstallation=file://{folder}/profile"
    kind = "xlsx:Calc MS Excel 2007 XML"
    subprocess.run(
        [str(SOFFICE), profile, "--headless", "--convert-to", kind, "--outdir", folder, desk.path],
        check=True,
        capture_output=True,
        timeout=120,
    )
    shutil.copy(folder / desk.path.name, desk.path)
