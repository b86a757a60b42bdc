"""Read-only mode: while the data center is being worked on, nothing may be changed."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from gateway.call import Call
from gateway.errors import Unavailable
from middleware.base import Middleware, Options


class MaintenanceOptions(Options, frozen=True):
    read_only: Annotated[bool, Meta(description="Always on, whatever the file says")] = False
    file: Annotated[
        str,
        Meta(description="On while this file exists, its first line is the message; default: maintenance in state_dir"),
    ] = "var/gateway/maintenance"
    message: Annotated[str, Meta(min_length=1, description="What refused clients are told")] = (
        "docker service is currently in read-only mode for maintenance"
    )
    eta: Annotated[datetime | None, Meta(description="When it will be over; sent as Retry-After")] = None


class Maintenance(Middleware):
    """Refuse what changes anything with 503; looking, waiting and reading streams go on.

    The file is looked for at every changing call, so it switches all workers at once, without a restart.
    An ``eta`` without an offset is in UTC; one that has passed is not sent.
    """

    name = "maintenance"
    Options = MaintenanceOptions
    options: MaintenanceOptions

    def before(self, call: Call) -> None:
        if not call.operation.changes:
            return
        message = self.options.message if self.options.read_only else self._message_of_file()
        if message is not None:
            raise Unavailable(message, headers=self._retry_after())

    def _message_of_file(self) -> str | None:
        """None without the file. A file that cannot be read is there all the same."""
        try:
            with Path(self.options.file).open(encoding="utf-8", errors="replace") as file:
                return file.readline().strip() or self.options.message
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return self.options.message

    def _retry_after(self) -> dict[str, str]:
        eta = self.options.eta
        if eta is None:
            return {}
        eta = eta.astimezone(UTC) if eta.tzinfo else eta.replace(tzinfo=UTC)
        return {"Retry-After": format_datetime(eta, usegmt=True)} if eta > datetime.now(UTC) else {}
