"""One HTML file for a browser: nothing else is loaded and no script runs. What stands in people's files is never markup there."""

from __future__ import annotations

import html
import unicodedata

_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")
_KEPT = ("\t", "\u200d")


def html_file(title: str, style: str, body: str) -> str:
    """The whole file; the title is text, the body markup."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escaped(title)}</title>
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def escaped(text: str) -> str:
    """Text that is no more than that in HTML; its lines stay."""
    return html.escape("\n".join(map(plain, text.split("\n"))))


def plain(text: str) -> str:
    """Text without characters that steer a terminal, a line or the direction of reading."""
    return "".join(
        "�" if unicodedata.category(one) in _STEERING and one not in _KEPT else one for one in text
    )
