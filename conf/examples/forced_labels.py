"""An operator's own member: every container bears the operator's labels, and clients do not see all of them.

In conf/gateway.toml: put ``"conf.examples.forced_labels.ForcedLabels"`` into the chain, and

    [middleware.forced_labels]
    labels = { "com.example.site" = "east" }
    required = ["com.example.team"]
    hidden = "com.example.internal."
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.call import Call, Reply
from gateway.errors import InvalidParameter
from middleware.base import Middleware, Options


class ForcedLabelsOptions(Options, frozen=True):
    labels: Annotated[dict[str, str], Meta(description="Put on every container; win over the client's")] = (
        msgspec.field(default_factory=dict)
    )
    required: Annotated[tuple[str, ...], Meta(description="The client must have set these")] = ()
    hidden: Annotated[str, Meta(description="Labels that begin so are left out of what clients see")] = ""


class ForcedLabels(Middleware):
    """Three moments: ``before`` changes or refuses a create, ``item`` and ``after`` rewrite what is shown."""

    name = "forced_labels"
    runs_on = ("container.create", "container.list", "container.inspect")
    Options = ForcedLabelsOptions
    options: ForcedLabelsOptions

    def before(self, call: Call) -> None:
        if call.operation.name != "container.create":
            return
        labels = call.body.Labels or {}
        missing = [label for label in self.options.required if not labels.get(label)]
        if missing:
            raise InvalidParameter(
                f"containers here need the label {' and '.join(missing)}: add --label {missing[0]}=..."
            )
        call.body.Labels = {**labels, **self.options.labels}

    def item(self, call: Call, item: Any) -> Any:  # noqa: ARG002 - the moment's signature
        """An entry of the container list."""
        item["Labels"] = self._shown(item.get("Labels"))
        return item

    def after(self, call: Call, reply: Reply) -> None:
        if call.operation.name == "container.inspect":
            reply.body["Config"]["Labels"] = self._shown(reply.body["Config"].get("Labels"))

    def _shown(self, labels: dict[str, str] | None) -> dict[str, str]:
        if not self.options.hidden:
            return labels or {}
        return {name: value for name, value in (labels or {}).items() if not name.startswith(self.options.hidden)}
