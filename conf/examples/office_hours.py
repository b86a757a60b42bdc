"""An operator's own member: new containers only in office hours.

In conf/gateway.toml: put ``"conf.examples.office_hours.OfficeHours"`` into the chain, behind authentication, and

    [middleware.office_hours]
    opens = 7
    closes = 19
    exempt = ["oncall"]
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from gateway.call import Call
from gateway.errors import Forbidden
from middleware.base import Middleware, Options

Hour = Annotated[int, Meta(ge=0, le=24)]


class OfficeHoursOptions(Options, frozen=True):
    """Hours are the gateway's local ones."""

    opens: Hour = 8
    closes: Hour = 18
    exempt: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.opens >= self.closes:
            raise ValueError("opens must come before closes")


class OfficeHours(Middleware):
    """Refuse to create containers outside office hours, save for some accounts."""

    name = "office_hours"
    runs_on = ("container.create",)
    Options = OfficeHoursOptions
    options: OfficeHoursOptions

    def before(self, call: Call) -> None:
        hour = datetime.now().astimezone().hour
        if self.options.opens <= hour < self.options.closes or call.owner.login in self.options.exempt:
            return
        raise Forbidden(f"new containers are made from {self.options.opens}:00 to {self.options.closes}:00 only")
