"""The way to every signed route: who calls, for which account, may they, and which role tags what they touch bears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, g, request

from datacenter.restify import not_found, params
from datacenter.services.cloudapi import actions, authorization
from datacenter.services.cloudapi.authentication import authenticate
from datacenter.services.cloudapi.authorization import Caller, Deed
from datacenter.services.cloudapi.role_tags import RoleTags, is_collection, resource_of

if TYPE_CHECKING:
    from datacenter.services.cloudapi.model import CloudApi

Account = dict[str, Any]


class Access:
    """Let requests in, and look after the role tags of what they make and delete."""

    def __init__(self, cloudapi: CloudApi) -> None:
        self._dc = cloudapi.dc
        self.tags = RoleTags(self._dc)

    def admit(self, key: str, name: str) -> Account:
        """Return the account whose data the request may see; ``key`` names the route in ``actions``.

        ``my`` is the caller's own. Raises 400, 401, 403 NotAuthorized, 404 ResourceNotFound, and 409 for tags
        with roles that are not there.
        """
        caller = authenticate(self._dc.mahi)
        account = self._account(caller, name)
        g.roles = []
        if not caller.owns(account) and not caller.operator:
            if caller.user is not None and caller.account["uuid"] != account["uuid"]:
                raise authorization.forbidden(name)
            g.roles = authorization.roles_of(self._dc.mahi, caller, account, request.args.get("as-role"))
            authorization.check(self._dc.mahi, caller, account, g.roles, self._deed(key, account))
        if "Role-Tag" in request.headers:
            self.tags.read(account["uuid"], request.headers["Role-Tag"])
        return account

    def finish(self, account: Account, response: Response) -> Response:
        """Tell a resource's role tags, give a new one its own, and forget those of one that is gone."""
        resource = self.resource()
        if request.method in ("GET", "HEAD"):
            response.headers["role-tag"] = ",".join(self.tags.names(account["uuid"], resource))
        elif request.method == "DELETE" and response.status_code == 204 and resource_of(below()) == below():
            self.tags.drop(account["uuid"], resource)
        elif response.status_code in (200, 201) and request.method == "POST":
            self._tag(account, response, resource)
        return response

    def resource(self) -> str:
        """The resource that the request's path is about."""
        return resource_of(below())

    def _tag(self, account: Account, response: Response, resource: str) -> None:
        """Tags of what was made are those asked for, else the roles that its maker acts under."""
        asked = request.headers.get("Role-Tag")
        if response.status_code == 201:
            made = response.get_json(silent=True)
            name = made.get("id") or made.get("name") if isinstance(made, dict) else None
            if not is_collection(resource) or name is None or (asked is None and not g.roles):
                return
            resource = f"{resource}/{name}"
        elif asked is None or resource != below():
            return
        roles = [role["uuid"] for role in g.roles] if asked is None else self.tags.read(account["uuid"], asked)
        self.tags.put(account["uuid"], resource, roles)

    def _account(self, caller: Caller, name: str) -> Account:
        if name in ("my", caller.account["login"], caller.account["uuid"]):
            return caller.account
        account = self._dc.mahi.account(name)
        if account is None:
            raise not_found(f"{name} does not exist") if caller.operator else authorization.forbidden(name)
        return account

    def _deed(self, key: str, account: Account) -> Deed:
        resource = self.resource()
        kind, _, machine = resource.strip("/").partition("/")
        vm = self._dc.vmapi.vm(machine) if kind == "machines" and machine else None
        if vm is not None and vm["owner_uuid"] != account["uuid"]:
            vm = None  # its tags are nobody's business
        asked = params().get("action")  # as the view reads it, whatever else query and body say
        path = f"/{account['login']}{below()}"
        return Deed(
            action=actions.action(key, asked if isinstance(asked, str) else None),
            path=path,
            tags=frozenset(self.tags.get(account["uuid"], resource)),
            context={"datacenter": self._dc.settings.name}
            | authorization.context(request.headers.get("User-Agent"), request.method, request.remote_addr, vm),
        )


def below() -> str:
    """The request's path below the account, without a slash at its end."""
    _, _, rest = request.path.lstrip("/").partition("/")
    return f"/{rest.rstrip('/')}" if rest.strip("/") else ""
