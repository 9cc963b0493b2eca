"""Messages to an address that takes Slack's JSON; others that speak it read `text` alone.

The surprise: names come from definitions, so `<`, `>` and `&` are escaped, or one could call everybody in a channel.
"""

from __future__ import annotations

import json
from typing import Any

from genesis.schedule.alerting import LARGEST, Message, within
from genesis.spec.project import Receiver
from genesis.web import Resolve, addresses_of, call

_SECTION = 3_000  # characters that Slack takes in a section


class Webhook:
    """`Notifier` of `genesis.interfaces` for `webhook`, which is the address with its secrets in it."""

    def __init__(self, receiver: Receiver, address: str, resolve: Resolve = addresses_of) -> None:
        self._receiver = receiver
        self._address = address
        self._resolve = resolve

    def send(self, message: Message) -> None:
        """Deliver a message. Raises `NotSent`."""
        call(
            "POST",
            self._address,
            body=payload(message),
            headers={"Content-Type": "application/json"},
            allow_private=self._receiver.allow_private,
            resolve=self._resolve,
        )


def payload(message: Message) -> bytes:
    """A message as Slack takes it, as much of it as fits."""
    for largest in (1_600, 800, 400, 200):
        told = json.dumps(_blocks(message, largest), ensure_ascii=False).encode()
        if len(told) <= LARGEST:
            return told
    return json.dumps({"text": _escaped(within(message.title, (), 200))}).encode()


def _blocks(message: Message, largest: int) -> dict[str, Any]:
    title = _escaped(within(message.title, (), largest // 2))
    lines = within("", tuple(map(_escaped, message.lines)), largest).strip()
    sections = [f"*{title}*", lines] if lines else [f"*{title}*"]
    return {
        "text": f"{title}\n{lines}".strip(),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": section[:_SECTION]}}
            for section in sections
        ],
    }


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
