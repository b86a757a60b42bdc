"""PAPI: packages, the sizes a VM may have. Memory and quota in MiB. Facts: sdc-apis 8."""

from __future__ import annotations

from typing import Any

from sdc.http import ServiceClient

Package = dict[str, Any]


class Papi(ServiceClient):
    service = "papi"

    def list_packages(self, ldap_filter: str | None = None, **attributes: Any) -> list[Package]:
        """Search by an LDAP filter, or by attribute. Values put into a filter must be escaped with ``escape``."""
        packages: list[Package] = self.get("/packages", query={"filter": ldap_filter, **attributes})
        return packages

    def get_package(self, uuid: str) -> Package:
        package: Package = self.get(f"/packages/{uuid}")
        return package


def escape(value: str) -> str:
    """Make a value literal inside an LDAP filter (RFC 4515)."""
    return "".join(f"\\{ord(c):02x}" if c in "*()\\\0" else c for c in value)
