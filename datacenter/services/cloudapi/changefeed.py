"""An account's change feed: what changes in its own machines, on a WebSocket opened by a signed request.

The client says once what it wants to hear of, ``{"resource": "vm", "subResources": [...], "vms"?: [uuids]}``,
and is told of every change: the machine in CloudAPI's words, except that its state is VMAPI's own.
"""

from __future__ import annotations

import io
import socket
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
from flask import g

from datacenter.changefeed import Listener
from datacenter.feed_socket import FeedSocket, RegistrationError
from datacenter.restify import RestError
from datacenter.services.cloudapi.actions import route_key
from datacenter.services.vmapi.changefeed import RESOURCE, SUB_RESOURCES
from datacenter.services.volapi.storage import is_storage

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import Account, CloudApi

Doc = dict[str, Any]

HEARD = tuple(name for name in SUB_RESOURCES if name != "internal_metadata")
"""What a customer may hear of: not what operators keep with a machine."""


def serve(cloudapi: CloudApi, environ: Doc, sock: socket.socket) -> None:
    """Serve the feed to an account that may have it; anybody else gets a plain refusal. The caller owns the socket."""
    without_body = {**environ, "wsgi.input": io.BytesIO()}  # what comes next on the wire are frames
    with cloudapi.app.request_context(without_body):
        cloudapi.app.preprocess_request()
        name, _, path = environ.get("PATH_INFO", "").lstrip("/").partition("/")
        try:
            if path != "changefeed" or environ.get("REQUEST_METHOD") != "GET":
                raise RestError(404, "ResourceNotFound", "only /:account/changefeed is a WebSocket")
            account = cloudapi.access.admit(route_key("GET", "/changefeed"), name)
        except RestError as refusal:
            sock.sendall(_refused(refusal, g.get("request_id", "")))
            return
    CustomerSocket(cloudapi, account, environ, sock).run()


class CustomerSocket(FeedSocket):
    """The feed's socket in CloudAPI's dialect."""

    def __init__(self, cloudapi: CloudApi, account: Account, environ: Doc, sock: socket.socket) -> None:
        super().__init__(cloudapi.dc.vmapi.changefeed, environ, sock)
        self._cloudapi, self._account = cloudapi, account
        self._machines: frozenset[str] | None = None

    def _register(self, text: str) -> Listener:
        try:
            asked = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise RegistrationError("registration is not JSON") from error
        if not isinstance(asked, dict) or asked.get("resource") != RESOURCE:
            raise RegistrationError(f"not a valid changefeed resource; there is: {RESOURCE}")
        wanted, machines = asked.get("subResources"), asked.get("vms")
        if not isinstance(wanted, list) or not wanted or not all(name in HEARD for name in wanted):
            raise RegistrationError(f"not valid changefeed subResources; there are: {', '.join(HEARD)}")
        if machines is not None:
            if not isinstance(machines, list) or not all(isinstance(machine, str) for machine in machines):
                raise RegistrationError("vms must be a list of uuids")
            self._machines = frozenset(machines)
        parts = frozenset((RESOURCE, name) for name in wanted)
        return Listener(str(uuid.uuid4()), "cloudapi", parts, self._deliver)

    def _deliver(self, item: Doc) -> None:
        vm = item["resourceObject"]
        heard = self._machines is None or vm["uuid"] in self._machines
        if heard and vm["owner_uuid"] == self._account["uuid"] and not is_storage(vm):
            machine = {**self._cloudapi.machine_view(vm), "state": vm["state"]}
            super()._deliver({**item, "resourceState": vm["state"], "resourceObject": machine})


def _refused(refusal: RestError, request_id: str) -> bytes:
    body = msgspec.json.encode(refusal.body())
    head = (
        f"HTTP/1.1 {refusal.status} {refusal.code}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nRequest-Id: {request_id}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body
