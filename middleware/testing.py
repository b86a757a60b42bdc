"""The kit that tests a member in five lines: a fake account, and a data center in memory.

    from middleware.testing import pipeline

    def test_nobody_creates_at_night():
        chain = pipeline(NoNightShift, until=24)
        with pytest.raises(Forbidden, match="no new containers at night"):
            chain.run("container.create")

The member is loaded as at start-up, so a wrong moment or a wrong option is found here, too.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

from gateway.call import Account, Call, Peer, Reply
from gateway.chain_loading import make_member
from gateway.errors import ServiceError
from gateway.operations import by_name
from gateway.pipeline import Pipeline
from gateway.state.database import Database
from gateway.state.reservations import Reservations
from gateway.versions import CEILING
from middleware.base import Middleware

Document = dict[str, Any]


class DataCenter:
    """A data center in memory: lists that tests fill, behind the clients that members call.

    Every call to a client is noted in ``asked``, as ``("papi.list_packages", arguments)``. An error put into
    ``broken`` under a client's name is what that client's every call raises.
    """

    def __init__(self) -> None:
        self.accounts: list[Document] = []
        """In MAHI's form: ``{"uuid", "login", "keys": {...}, ...}``; ``users`` likewise, with ``account``."""
        self.users: list[Document] = []
        self.roles: list[Document] = []
        """``{"uuid", "account", "name", "members": {uuid: member}}``."""
        self.packages: list[Document] = []
        self.vms: list[Document] = []
        self.images: list[Document] = []
        self.asked: list[tuple[str, tuple[Any, ...], Document]] = []
        self.broken: dict[str, Exception] = {}
        self.services = SimpleNamespace(
            mahi=_Client(
                self,
                "mahi",
                get_account=lambda login: self._info(login=login),
                get_account_by_uuid=lambda uuid: self._info(uuid=uuid),
                get_user_by_login=self._user,
                get_role=self._role,
            ),
            papi=_Client(
                self,
                "papi",
                list_packages=self._packages,
                get_package=lambda uuid: _only("papi", self.packages, uuid=uuid),
            ),
            vmapi=_Client(
                self, "vmapi", list_vms=self._vms, get_vm=lambda uuid, **_: _only("vmapi", self.vms, uuid=uuid)
            ),
            imgapi=_Client(
                self, "imgapi", list_images=self._images, get_image=lambda uuid: _only("imgapi", self.images, uuid=uuid)
            ),
        )

    def _info(self, **wanted: str) -> Document:
        return {"account": dict(_only("mahi", self.accounts, **wanted)), "roles": {}}

    def _user(self, account: str, login: str) -> Document:
        info = self._info(login=account)
        user = _only("mahi", self.users, account=info["account"]["uuid"], login=login)
        return {**info, "user": dict(user), "roles": user.get("role_objects", {})}

    def _role(self, account: str, name: str) -> Document:
        info = self._info(login=account)
        for role in self.roles:
            if (role["account"], role["name"]) == (info["account"]["uuid"], name):
                return {**info, "role": role}
        return info

    def _packages(self, ldap_filter: str | None = None, **attributes: Any) -> list[Document]:
        """Understands the filters that the built-in members send: one conjunction of simple terms."""
        terms = [term.partition("=")[::2] for term in _terms(ldap_filter or "")]
        owner = next((value for name, value in terms if name == "owner_uuids" and value != "*"), None)
        alternatives = [(name, value) for name, value in terms if name in {"name", "uuid"}]
        return [
            package
            for package in self.packages
            if package.get("active", True)
            and (not package.get("owner_uuids") or owner in package["owner_uuids"])
            and (not alternatives or any(fnmatch.fnmatchcase(package[name], value) for name, value in alternatives))
            and all(package.get(name) == value for name, value in attributes.items())
        ]

    def _vms(self, **filters: Any) -> list[Document]:
        """As VMAPI, refuses to list by name what it does not know when a VM is made."""
        fields = set((filters.get("fields") or "*").split(","))
        if fields & {"image_uuid", "nics", "create_timestamp", "exit_status", "boot_timestamp", "pid"}:
            raise ServiceError("vmapi", 409, "ValidationFailed", "Invalid Parameters")
        wanted = {name: value for name, value in filters.items() if name not in {"fields", "predicate", "state"}}
        found = [vm for vm in self.vms if all(vm.get(name) == value for name, value in wanted.items())]
        if filters.get("state") == "active":
            found = [vm for vm in found if vm.get("state", "running") not in {"destroyed", "failed"}]
        return found if "*" in fields else [{name: vm[name] for name in fields if name in vm} for vm in found]

    def _images(self, **filters: Any) -> list[Document]:
        wanted = {name: value for name, value in filters.items() if name != "state"}
        return [image for image in self.images if all(image.get(name) == value for name, value in wanted.items())]


class _Client:
    """One service of the data center in memory. It has no changefeed: nobody listens at its address."""

    url = "http://127.0.0.1:9"

    def __init__(self, center: DataCenter, name: str, **methods: Callable[..., Any]) -> None:
        for method, answer in methods.items():
            setattr(self, method, self._noted(center, name, method, answer))

    @staticmethod
    def _noted(center: DataCenter, name: str, method: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*positional: Any, **named: Any) -> Any:
            center.asked.append((f"{name}.{method}", positional, named))
            if name in center.broken:
                raise center.broken[name]
            return answer(*positional, **named)

        return ask


class TestChain:
    """Members under test, and what the last call left behind."""

    __test__ = False

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.center = DataCenter()
        self.account: Account | None = Account(uuid=str(uuid4()), login="jill")
        """Who the calls are made for; None when a member under test finds that out."""
        self.datacenter_name = "test-1"
        self.reservations = Reservations(Database(":memory:"))
        self.call: Call
        """The last call, as the chain left it."""
        self.payload: Document = {}
        """The last payload, as the chain left it."""
        self._ids = itertools.count(1)

    def make_call(self, operation: str, body: Any = None, **fields: Any) -> Call:
        """Make a call; ``fields`` are those of Call. A mapping as body can be read by attributes, as models are."""
        row = by_name(operation)
        return Call(
            **{
                "request_id": f"test-{next(self._ids)}",
                "operation": row,
                "version": CEILING,
                "peer": Peer(address="127.0.0.1:40000", transport="tls"),
                "method": row.method,
                "path": row.path,
                "body": spec(**body) if isinstance(body, Mapping) else body,
                "account": self.account,
                "services": cast("Any", self.center.services),
                "state": cast("Any", SimpleNamespace(reservations=self.reservations)),
                "config": cast("Any", SimpleNamespace(datacenter_name=self.datacenter_name)),
                **fields,
            }
        )

    def run(
        self,
        operation: str,
        body: Any = None,
        *,
        payload: Document | None = None,
        answer: Reply | Exception | Callable[[], Reply] | None = None,
        **fields: Any,
    ) -> Reply:
        """Take a call through the chain; the translator is ``answer``: a reply, an error or a function.

        With ``payload`` the ``provision`` moment is run over it first. Raises what the client would be told.
        """
        call = self.call = self.make_call(operation, body, **fields)

        def translator() -> Reply:
            if payload is not None:
                self.payload = call.provision(dict(payload))
            if isinstance(answer, Exception):
                raise answer
            return answer() if callable(answer) else answer or Reply()

        return self.pipeline.run(call, translator)


def pipeline(*members: type[Middleware] | tuple[type[Middleware], dict[str, Any]], **options: Any) -> TestChain:
    """Load members into a chain: classes, or pairs of a class and its section of the settings.

    ``options`` are the section of those given as a mere class. Raises ValueError as the start-up would.
    """
    pairs = [member if isinstance(member, tuple) else (member, options) for member in members]
    return TestChain(Pipeline([make_member(kind, {kind.name: section}) for kind, section in pairs]))


class spec(SimpleNamespace):  # noqa: N801 - used as a function
    """A request body that is read by attributes; what was not set is None, as in an empty request."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("_"):
            raise AttributeError(name)


def _only(service: str, documents: list[Document], **wanted: Any) -> Document:
    for document in documents:
        if all(document.get(name) == value for name, value in wanted.items()):
            return document
    raise ServiceError(service, 404, "ResourceNotFound", f"{wanted} not found")


def _terms(ldap_filter: str) -> list[str]:
    return [part for part in ldap_filter.replace("(", ")").split(")") if "=" in part]
