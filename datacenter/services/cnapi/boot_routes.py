"""CNAPI's routes about what servers boot: nothing here boots over the network, so it is kept, and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from datacenter.restify import RestError, is_uuid, params, reply, route_table

if TYPE_CHECKING:
    from datacenter.services.cnapi import Cnapi

Doc = dict[str, Any]

DEFAULT = "default"
FIELDS = {"platform": "boot_platform", "kernel_args": "boot_params"}
"""What is called otherwise in a server's record; the rest has one name."""
MERGED = ("boot_params", "kernel_flags")
PLAIN = ("boot_platform", "boot_modules", "default_console", "serial")
FRESH: Doc = {"boot_params": {}, "kernel_flags": {}, "boot_modules": [], "default_console": "serial", "serial": "ttyb"}


class BootRoutes:
    """The routes of this module, each a method.

    ``default`` in place of a server's uuid is what servers boot of which nobody said otherwise.
    """

    def __init__(self, cnapi: Cnapi) -> None:
        self._servers = cnapi.servers
        self._defaults = cnapi.boot_defaults

    def blueprint(self) -> Blueprint:
        return route_table(
            "boot",
            {
                "GET /platforms": self.list_platforms,
                "GET /boot/<server_uuid>": self.get_params,
                "PUT /boot/<server_uuid>": self.set_params,
                "POST /boot/<server_uuid>": self.update_params,
            },
        )

    def list_platforms(self) -> Response:
        """The platforms on the headnode's USB key: of the headnode itself here, when a server calls itself that."""
        headnodes = [server for server in self._servers.all() if server.get("headnode")]
        if not headnodes:
            raise RestError(500, "InternalError", "Error finding headnode: Could not find headnode")
        return reply({str(headnodes[0]["current_platform"]): {"latest": True}})

    def get_params(self, server_uuid: str) -> Response:
        """What a server boots next: the platform, and what its kernel is told."""
        known = self._known(server_uuid)
        own = {"smt_enabled": True} if server_uuid == DEFAULT else {"hostname": known["hostname"]}
        return reply(
            {
                "platform": known["boot_platform"],
                "kernel_args": {**own, **known["boot_params"]},
                "kernel_flags": known["kernel_flags"],
                "boot_modules": known.get("boot_modules", []),
                "default_console": known["default_console"],
                "serial": known["serial"],
            }
        )

    def set_params(self, server_uuid: str) -> Response:
        """Replace all of it: what is not given is as on a new server."""
        self._known(server_uuid)
        boot = {**FRESH, **_given()}
        if server_uuid == DEFAULT:
            self._defaults.put(DEFAULT, boot)
            return reply(None, 204)
        self._servers.update(server_uuid, boot)
        return reply(None, 202)

    def update_params(self, server_uuid: str) -> Response:
        """Change what is given; a kernel argument or flag that is null goes."""
        known, given = self._known(server_uuid), _given()
        for field in MERGED:
            if field in given:
                merged = {**known[field], **given[field]}
                given[field] = {name: value for name, value in merged.items() if value is not None}
        if server_uuid == DEFAULT:
            self._defaults.put(DEFAULT, {**(self._defaults.get(DEFAULT) or {}), **given})
        else:
            self._servers.update(server_uuid, given)
        return reply(None, 204)

    def _known(self, server_uuid: str) -> Doc:
        if server_uuid != DEFAULT:
            if not is_uuid(server_uuid):
                raise RestError(409, "InvalidArgument", f"{request.path}: {server_uuid} is not a UUID")
            return self._servers.get(server_uuid)
        platforms = [str(server.get("current_platform") or "") for server in self._servers.all()]
        newest = max(platforms, default="")
        return {"boot_platform": newest, **FRESH, **(self._defaults.get(DEFAULT) or {})}


def _given() -> Doc:
    """What a request says, by the names in a server's record. Raises RestError for values of a wrong form."""
    bag = params()
    if "kernel_args" not in bag and "params" in bag:
        bag["kernel_args"] = bag["params"]
    given = {FIELDS.get(name, name): value for name, value in bag.items()}
    forms = {**dict.fromkeys(MERGED, dict), **dict.fromkeys(PLAIN, str), "boot_modules": list}
    wrong = [name for name, form in forms.items() if name in given and not isinstance(given[name], form)]
    if wrong:
        raise RestError(409, "InvalidArgument", f"wrong form of {', '.join(wrong)}")
    return {name: given[name] for name in forms if name in given}
