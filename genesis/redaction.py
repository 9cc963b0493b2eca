"""What no text may hold when it leaves: the values of secrets, and what is written behind their names.

Whoever resolves a secret hides its value here, once; everything that leaves the process asks here.
A value is found as it is, as JSON, in an address and in base64, wherever it begins in what was
encoded. It refuses to hide less than six characters: they stand in harmless words. The surprise: a
secret that is an address or a key file hides its parts too, since that is what others quote of it.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "***"
SHORTEST = 6  # characters of a value
_TOKEN = 16  # characters of what in a path is no word

_NAMES = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"client[_-]?secret|credentials?|authorization|cookie|jwt|bearer"
)
_NAME = re.compile(rf"(?:^|[_.-])(?:{_NAMES})$", re.IGNORECASE)
_OURS = re.compile(r"[a-z][a-z_]{0,24}")
# What stands behind (1) may be anything but a reference; JSON stays JSON. No pattern looks far ahead: texts are long.
_WRITTEN = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf'(?<![a-z0-9])((?:{_NAMES})"\s*:\s*")(?!\$)(?:[^"\\]|\\.)+',
        rf"(?<![a-z0-9])((?:{_NAMES})=)(?![$`\s])[^\s,;&\"'`)}}\]\\]+",
        r"(\bauthorization:\s*(?:\w{1,20}\s+)?|\bbearer\s+)(?!\$)(?=\S*\d)[\w.~+/=-]{8,}",
        r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,100}:)(?!\$)[^\s/@\"',\\]{1,300}(?=@)",
    )
)


class Redaction:
    """The values that are secrets in this process."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def hide(self, value: str) -> None:
        """From now on no text shows this value."""
        found = {form for part in _parts(value) for form in _forms(part)}
        with self._lock:
            # The longest first: a form may be a part of another.
            self._forms = tuple(sorted({*self._forms, *found}, key=lambda form: (-len(form), form)))

    def values_in(self, text: str) -> str:
        """The text without values of secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def text(self, text: str) -> str:
        """The text without values of secrets, and without what stands behind names of secrets."""
        text = self.values_in(text)
        for pattern in _WRITTEN:
            text = pattern.sub(rf"\1{MASK}", text)
        return text

    def data(self, value: Any, name: str = "") -> Any:
        """The same for what will be JSON."""
        match value:
            case str():
                return MASK if _NAME.search(name) and value else self.text(value)
            case Mapping():
                return {
                    self._key(str(key)): self.data(each, str(key)) for key, each in value.items()
                }
            case Sequence():
                return [self.data(each, name) for each in value]
            case _:
                return value

    def _key(self, key: str) -> str:
        """A key without secrets. One that reads like our own is none, whatever somebody has as a password."""
        return key if _OURS.fullmatch(key) else self.values_in(key)


_everywhere = Redaction()
hide = _everywhere.hide
redact = _everywhere.text
redact_values = _everywhere.values_in
redact_data = _everywhere.data


def _parts(value: str) -> Iterator[str]:
    """A secret, and what of it others quote."""
    parts = {value, value.strip(), *_of_address(value), *_of_key_file(value)}
    parts |= {line.strip() for part in tuple(parts) for line in part.splitlines()[1:-1]}
    return (part for part in parts if len(part) >= SHORTEST)


def _of_address(value: str) -> Iterable[str]:
    try:
        address = urlsplit(value)
        password = address.password
    except ValueError:
        return ()
    found = [password, unquote(password)] if password else []
    if address.scheme in ("http", "https") and len(address.path) > len("/services/"):
        found += [address.path, f"{address.path}?{address.query}" if address.query else ""]
        found += [step for step in address.path.split("/") if len(step) >= _TOKEN]
    return found


def _of_key_file(value: str) -> Iterable[str]:
    try:
        key = json.loads(value) if value.lstrip().startswith("{") else {}
    except ValueError:
        return ()
    return [text for name, text in key.items() if isinstance(text, str) and _is_secret_part(name)]


def _is_secret_part(name: str) -> bool:
    return bool(_NAME.search(name)) or name == "private_key_id"


def _forms(value: str) -> Iterator[str]:
    """How a value may stand in a text."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield from {quote(value), quote(value, safe=""), quote_plus(value)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            if form := _in_base64(value, before, encode):
                yield form


def _in_base64(value: str, before: int, encode: Any) -> str:
    """What base64 makes of a value for sure that so many bytes, modulo three, stand before."""
    encoded = value.encode("utf-8", "surrogatepass")
    whole = (before + len(encoded)) // 3 * 4
    text: str = encode(b"\0" * before + encoded).decode()
    form = text[(0, 2, 3)[before] : whole]
    return form if len(form) >= SHORTEST else ""
