"""Messages on their way: which notifier a receiver has, and one round of sending what waits.

The surprise: a message counts as sent when its receiver said so. Where that answer was lost it is sent once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from genesis.errors import GenesisError, NotSent, Problem, suggest
from genesis.interfaces import Clock, Notifier
from genesis.plugins import find_plugin
from genesis.run.alerts import Alerts
from genesis.secrets import resolve_references
from genesis.spec.project import Receiver

MAIL = "mailto:"
"""What a receiver begins with that is a person's address."""


def deliver(
    alerts: Alerts,
    open_notifier: Callable[[str], Notifier],
    *,
    owner: str,
    clock: Clock,
    counts: Callable[[str, bool], None] = lambda _receiver, _arrived: None,
    most: int = 100,
) -> int:
    """Send what waits and is due; how many arrived. What fails waits for its next time.

    `counts` is told of each delivery: to whom, and whether it arrived.
    """
    arrived = 0
    for _ in range(most):
        delivery = alerts.claim(owner, now=clock.now())
        if delivery is None:
            break
        try:
            open_notifier(delivery.message.receiver).send(delivery.message)
        except Exception as error:  # noqa: BLE001  # one notifier's bug may not keep others from their messages
            alerts.failed(delivery, _why(error), at=clock.now())
            counts(delivery.message.receiver, False)
        else:
            arrived += alerts.sent(delivery, at=clock.now())
            counts(delivery.message.receiver, True)
    return arrived


def _why(error: Exception) -> str:
    if isinstance(error, GenesisError):
        return error.problems[0].message
    return f"a bug in its notifier: {type(error).__name__}: {error}"


def opener(receivers: Mapping[str, Receiver], root: Path) -> Callable[[str], Notifier]:
    """What gives the notifier of a receiver: one of `genesis.yaml`, or a person's address. Raises `NotSent`."""

    def open_notifier(name: str) -> Notifier:
        receiver = _receiver(name, receivers)
        kind, address = _address(name, receiver)
        notifier: Notifier = find_plugin("notifiers", kind)(
            receiver, resolve_references(address, root)
        )
        return notifier

    return open_notifier


def mail_server(receivers: Mapping[str, Receiver]) -> Receiver | None:
    """The receiver whose `smtp` sends the mail of those that name none: the first that has one."""
    return next((receiver for receiver in receivers.values() if receiver.smtp), None)


def _receiver(name: str, receivers: Mapping[str, Receiver]) -> Receiver:
    """A receiver with the server that sends its mail."""
    server = mail_server(receivers)
    receiver = receivers.get(name)
    if name.startswith(MAIL) and server:
        receiver = Receiver(email=name.removeprefix(MAIL))
    if receiver is None:
        hint = suggest(name, receivers) or "`alerts` of genesis.yaml names receivers"
        raise NotSent(Problem("unknown-alert", f"unknown receiver `{name}`", hint=hint))
    if receiver.email and not receiver.smtp and server:
        given = {"smtp": server.smtp, "allow_private": server.allow_private}
        return receiver.model_copy(update=given)
    return receiver


def _address(name: str, receiver: Receiver) -> tuple[str, str]:
    if receiver.webhook:
        return "webhook", receiver.webhook
    if receiver.email and receiver.smtp:
        return "email", receiver.smtp
    lacks = "`smtp`" if receiver.email else "`webhook` or `email`"
    hint = "a `webhook`, or an `email` and an `smtp` server"
    raise NotSent(Problem("not-sent", f"receiver `{name}` has no {lacks}", hint=hint))
