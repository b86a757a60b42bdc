"""CNAPI's routes about what servers boot: nothing here boots over the network, so they tell and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from datacenter.restify import RestError, reply, route_table

if TYPE_CHECKING:
    from datacenter.services.cnapi import Cnapi


class BootRoutes:
    """The routes of this module, each a method."""

    def __init__(self, cnapi: Cnapi) -> None:
        self._servers = cnapi.servers

    def blueprint(self) -> Blueprint:
        return route_table("boot", {"GET /platforms": self.list_platforms, "GET /boot/default": self.get_default})

    def list_platforms(self) -> Response:
        """The platforms on the headnode's USB key: of the headnode itself here, when a server calls itself that."""
        headnodes = [server for server in self._servers.all() if server.get("headnode")]
        if not headnodes:
            raise RestError(500, "InternalError", "Error finding headnode: Could not find headnode")
        return reply({str(headnodes[0]["current_platform"]): {"latest": True}})

    def get_default(self) -> Response:
        """What a server boots of which nobody said otherwise: the newest platform that any of them runs."""
        platforms = [str(server.get("current_platform") or "") for server in self._servers.all()]
        return reply(
            {
                "platform": max(platforms, default=""),
                "kernel_args": {"smt_enabled": True},
                "kernel_flags": {},
                "boot_modules": [],
                "default_console": "serial",
                "serial": "ttyb",
            }
        )
