"""The package store and its search."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from flask import Flask

from datacenter.clock import iso
from datacenter.restify import RestError
from datacenter.services.papi import routes, schema, seeds
from grammars import ldapfilter

if TYPE_CHECKING:
    from datacenter.center import DataCenter

Package = dict[str, Any]


class Papi:
    """The data center's packages. Sizes are MiB throughout, ``quota`` too; ``cpu_cap`` is percent of a core."""

    def __init__(self, dc: DataCenter) -> None:
        self._packages = dc.store.bucket("packages")
        if not len(self._packages):
            now = iso()
            with dc.store.transaction():
                for package in seeds.packages():
                    self._packages.put(package["uuid"], {**package, "created_at": now, "updated_at": now})
        self.app: Flask = routes.make_app(self)

    def get(self, package_uuid: str) -> Package | None:
        return self._packages.get(package_uuid)

    def search(self, terms: dict[str, Any], text: str | None = None) -> list[Package]:
        """Packages that match an LDAP filter and every ``attribute=value`` term.

        A term's value may carry ``*`` wildcards; a JSON array in it means any of its elements. What is asked for by
        owner finds packages that are everybody's, too.
        Raises 409 InvalidArgument when the filter cannot be read.
        """
        try:
            parts: list[ldapfilter.Filter] = [ldapfilter.parse(text)] if text else []
            parts.extend(_term(attribute, value) for attribute, value in terms.items())
        except ldapfilter.FilterError as error:
            raise RestError(409, "InvalidArgument", "Provided search filter is not valid") from error
        wanted = ldapfilter.And(tuple(parts))
        return [package for package in self._packages.all() if wanted.matches(package)]

    def create(self, given: dict[str, Any]) -> Package:
        """Add a package; a uuid is chosen when none is given. Raises 409."""
        now = iso()
        dated = {"created_at": now, **given, "updated_at": now}
        package = schema.validate({"fss": given.get("cpu_cap"), "default": False, "v": 1, **dated})
        package = {"uuid": package.pop("uuid", None) or str(uuid.uuid4()), **package}
        if package["uuid"] in self._packages:
            raise RestError(409, "ConflictError", "A package with the given UUID already exists")
        return self._packages.put(package["uuid"], package)

    def update(self, package: Package, changes: dict[str, Any], *, force: bool = False) -> Package:
        """Change a package; None removes an attribute. What VMs were sized by only changes by force."""
        changed = [field for field, value in changes.items() if value != package.get(field)]
        frozen = [field for field in changed if field in schema.IMMUTABLE and not force]
        if frozen:
            errors = [{"field": field, "code": "Invalid", "message": "is immutable"} for field in frozen]
            raise RestError(409, "InvalidArgument", "Attempt to update immutables", errors)
        changed_package = {**package, **changes, "uuid": package["uuid"], "updated_at": iso()}
        return self._packages.put(package["uuid"], schema.validate(changed_package, "Updated package is invalid"))

    def delete(self, package_uuid: str) -> None:
        self._packages.delete(package_uuid)


def _term(attribute: str, value: Any) -> ldapfilter.Filter:
    found: list[ldapfilter.Filter] = [ldapfilter.attribute_filter(attribute, str(choice)) for choice in _choices(value)]
    if attribute == "owner_uuids":
        found.append(ldapfilter.Not(ldapfilter.attribute_filter(attribute, "*")))
    return ldapfilter.Or(tuple(found))


def _choices(value: Any) -> list[Any]:
    """The alternatives that a term names: a text that is a JSON array, or itself."""
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        read = json.loads(text) if text.startswith("[") else text
    except ValueError:
        read = text
    return read if isinstance(read, list) else [read]
