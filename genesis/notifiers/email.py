"""Messages by e-mail, through the server that `smtp` names: `smtp://user:password@host:587?from=genesis@example.com`.

`smtp://` turns to TLS before anything is said, `smtps://` begins with it. A server that offers none is refused, but for
one on this network (`allow_private: true`). The surprise: a message that is sent again has the same Message-ID, so that
a mailbox shows it once.
"""

from __future__ import annotations

import hashlib
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from genesis.errors import NotSent, Problem
from genesis.schedule.alerting import Message, within
from genesis.spec.project import Receiver

PATIENCE = 10.0  # seconds for each step
_SUBJECT = 150  # bytes


class Email:
    """`Notifier` of `genesis.interfaces` for `email`; `address` is the server's, with its secrets in it."""

    def __init__(self, receiver: Receiver, address: str) -> None:
        self._receiver = receiver
        self._server = _server(address)

    def send(self, message: Message) -> None:
        """Deliver a message. Raises `NotSent`."""
        host = self._server.hostname or ""
        try:
            with self._open() as connection:
                self._secure(connection)
                if self._server.username:
                    password = unquote(self._server.password or "")
                    connection.login(unquote(self._server.username), password)
                connection.send_message(self._letter(message))
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            why = _reason(error)
            hint = "it is tried again later"
            raise NotSent(
                Problem("not-sent", f"`{host}` sends no e-mail: {why}", hint=hint)
            ) from error

    def _open(self) -> smtplib.SMTP:
        host, port = self._server.hostname or "", self._server.port
        if self._server.scheme == "smtps":
            trusted = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port or 465, timeout=PATIENCE, context=trusted)
        return smtplib.SMTP(host, port or 587, timeout=PATIENCE)

    def _secure(self, connection: smtplib.SMTP) -> None:
        connection.ehlo()
        if self._server.scheme == "smtps":
            return
        if connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
            connection.ehlo()
        elif not self._receiver.allow_private:
            message = f"`{self._server.hostname}` offers no TLS"
            hint = "`smtps://` begins with it; `allow_private: true` permits a server on this network without"
            raise NotSent(Problem("not-sent", message, hint=hint))

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["From"] = self._sender()
        letter["To"] = self._receiver.email or ""
        letter["Subject"] = " ".join(within(message.title, (), _SUBJECT).split())
        letter["Date"] = format_datetime(message.at)
        name = hashlib.sha256(f"{message.key}|{self._receiver.email}".encode()).hexdigest()[:32]
        letter["Message-ID"] = f"<{name}@genesis>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.text)
        return letter

    def _sender(self) -> str:
        said = parse_qs(self._server.query).get("from")
        user = unquote(self._server.username or "")
        return said[0] if said else user if "@" in user else f"genesis@{socket.getfqdn()}"


def _server(address: str) -> SplitResult:
    server = urlsplit(address)
    if server.scheme not in ("smtp", "smtps") or not server.hostname:
        hint = "smtp://user:password@mail.example.com:587?from=genesis@example.com"
        raise NotSent(Problem("not-sent", "`smtp` is no address of a mail server", hint=hint))
    return server


def _reason(error: Exception) -> str:
    match error:
        case smtplib.SMTPAuthenticationError():
            return "it does not let us in"
        case smtplib.SMTPRecipientsRefused():
            return "it refuses the receiver"
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=said):
            return f"{code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
        case ssl.SSLError():
            return "its certificate is not valid for it, or not trusted"
        case TimeoutError():
            return "no answer in time"
        case _:
            return str(error).lower() or "no connection"
