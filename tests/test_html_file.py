"""Pages that are one file: what stands in people's files is text there."""

from __future__ import annotations

from genesis.html_file import escaped, html_file


def test_text_is_no_markup_and_steers_nothing() -> None:
    """Lines and tabs stay; what would turn the direction of reading or speak to a terminal goes."""
    assert escaped("<b>\u202e\x1b[31m &\n\t'x'") == "&lt;b&gt;��[31m &amp;\n\t&#x27;x&#x27;"
    assert "<title>&lt;/title&gt;</title>" in html_file("</title>", "", "")
