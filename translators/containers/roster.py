"""An account's containers as VMAPI last showed them, kept as long as nothing is heard that may have changed them.

What is heard is never taken for the truth: it only says which VM has to be read again before the next answer. News
come from VMAPI's changefeed, and from the event log, in which every worker writes what it did before it answers: who
changed a container sees the change, whichever worker is asked. While the feed is away nothing is kept.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gateway.call import Call
from gateway.signals import job_finished
from gateway.state import State
from grammars import dockerids
from sdc.vmapi import Vmapi
from translators.containers.lookup import candidates, mine, pick
from translators.containers.vmfeed import feed_of
from translators.ids import docker_id

Vm = dict[str, Any]

OLDEST_SECONDS = 60.0
"""After which a VM is read again although nothing was heard of it: the feed does not tell of everything."""
MOST_SINGLY = 50
"""VMs that are read again by their uuids; when more have changed, all are listed."""
MOST_ACCOUNTS = 256
MOST_FOUND = 1000
"""What clients called single containers, of one account: each beginning of an id is another."""
MOST_NEWS = 1000
MOST_BYTES = 8 << 20
"""Of answers kept for one account."""


@dataclass(slots=True)
class _Account:
    """What is kept of one account. ``news`` counts what was heard: who was reading meanwhile keeps nothing of it."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    news: int = 0
    vms: dict[str, Vm] = field(default_factory=dict)
    listed: float = float("-inf")
    """When all were listed (monotonic seconds)."""
    stale: set[str] = field(default_factory=set)
    newest_first: list[Vm] = field(default_factory=list)
    by_name: dict[str, Vm] = field(default_factory=dict)
    """By whole id, too."""
    found: dict[str, tuple[float, Vm]] = field(default_factory=dict)
    """By what clients called them, with the time of reading, while nobody lists them all."""
    answers: dict[Hashable, bytes] = field(default_factory=dict)
    moment: Hashable = None
    """The moment of which the answers are."""

    @property
    def is_listed(self) -> bool:
        return time.monotonic() - self.listed < OLDEST_SECONDS

    def hear(self, vm_uuid: str) -> None:
        """Have a VM read again; where they are not all known, it will be anyway."""
        if self.is_listed:
            self.stale.add(vm_uuid)
        self._forget()

    def hear_of_all(self) -> None:
        """Have all listed again."""
        self.listed = float("-inf")
        self._forget()

    def _forget(self) -> None:
        self.news += 1
        self.found.clear()
        self.answers.clear()

    def replace(self, gone: set[str] | None, vms: list[Vm]) -> None:
        """Take what was read in the place of some VMs, or of all."""
        kept = {uuid: vm for uuid, vm in self.vms.items() if uuid not in gone} if gone is not None else {}
        self.vms = kept | {vm["uuid"]: vm for vm in vms}
        self.newest_first = sorted(self.vms.values(), key=lambda vm: str(vm.get("create_timestamp")), reverse=True)
        self.by_name = {str(vm["alias"]): vm for vm in self.vms.values() if vm.get("alias")}
        self.by_name |= {docker_id(vm): vm for vm in self.vms.values()}
        self.answers.clear()


class Roster:
    """The containers of the accounts that ask; one a worker. What it returns is shared: nobody may change it."""

    def __init__(self, vmapi: Vmapi, state: State) -> None:
        self._vmapi = vmapi
        self._state = state
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._generation = state.database.generation()
        self._place = state.events.head()
        self._feed = feed_of(vmapi)
        self._feed.listen(self._hear)
        job_finished.connect(self._finished)

    def containers(self, owner_uuid: str) -> list[Vm]:
        """Return all containers of an account, the newest first. Raises SdcError.

        SDC: VMAPI GET /vms?predicate=
        """
        account = self._account(owner_uuid)
        with account.turn:
            self._refresh(account, owner_uuid)
            return account.newest_first

    def find(self, owner_uuid: str, ref: str) -> Vm:
        """Return the container that ``ref`` names, as ``lookup.find_container`` does. Raises SdcError, too.

        Only its own VM is asked for, unless all are known.

        SDC: VMAPI GET /vms?predicate=
        """
        account = self._account(owner_uuid)
        if self._feed.connected and account.is_listed:
            with account.turn:
                self._refresh(account, owner_uuid)
                return account.by_name.get(ref.removeprefix("/")) or pick(account.newest_first, ref)
        read, vm = account.found.get(ref, (float("-inf"), {}))
        if time.monotonic() - read < OLDEST_SECONDS:
            return vm
        news, read = account.news, time.monotonic()
        vm = pick(candidates(self._vmapi, owner_uuid, ref), ref)
        if self._feed.connected and news == account.news:
            if len(account.found) >= MOST_FOUND:
                account.found.clear()
            account.found[ref] = (read, vm)
        return vm

    def answer(self, owner_uuid: str, question: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return what ``make`` makes of an account's containers; within a second and without news it is made once.

        A second, because some of what is shown counts them, and because not everything that is shown has news.
        """
        account = self._account(owner_uuid)
        moment = (int(time.time()), self._generation)
        if account.moment != moment:
            account.answers.clear()
            account.moment = moment
        if question in account.answers:
            return account.answers[question]
        news = account.news
        made = make()
        if self._feed.connected and (news, moment) == (account.news, account.moment):
            if sum(map(len, account.answers.values())) > MOST_BYTES:
                account.answers.clear()
            account.answers[question] = made
        return made

    def _account(self, owner_uuid: str) -> _Account:
        self._catch_up()
        account = self._accounts.setdefault(owner_uuid, _Account())
        self._accounts.move_to_end(owner_uuid)
        if len(self._accounts) > MOST_ACCOUNTS:
            self._accounts.popitem(last=False)
        return account

    def _refresh(self, account: _Account, owner_uuid: str) -> None:
        """Read what is stale. News that come meanwhile make it stale again."""
        whole = not self._feed.connected or not account.is_listed or len(account.stale) > MOST_SINGLY
        if not whole and not account.stale:
            return
        stale, account.stale = account.stale, set()
        try:
            if whole:
                account.listed = time.monotonic() if self._feed.connected else float("-inf")
                account.replace(None, self._vmapi.list_vms(predicate=mine(owner_uuid)))
            else:
                account.replace(stale, self._vmapi.list_vms(predicate=mine(owner_uuid, _one_of(stale))))
        except BaseException:
            account.stale |= stale
            account.listed = float("-inf") if whole else account.listed
            raise

    def _hear(self, vm: Vm | None) -> None:
        """Take note of what the feed tells; of a gap, that anything may have changed."""
        if vm is None:
            for account in self._accounts.values():
                account.hear_of_all()
            return
        self._note(vm.get("owner_uuid"), vm["uuid"])

    def _note(self, owner_uuid: str | None, vm_uuid: str) -> None:
        """Take note that a VM may have changed; when nobody says whose it is, wherever it may be."""
        if owner_uuid is not None:
            account = self._accounts.get(owner_uuid)
            if account is not None:
                account.hear(vm_uuid)
            return
        for account in self._accounts.values():
            if vm_uuid in account.vms or not account.is_listed:
                account.hear(vm_uuid)

    def _finished(self, _sender: Any, *, vm_uuid: str, **_: Any) -> None:
        """Take note of what a job of this worker did, be it told in events or not."""
        self._note(None, vm_uuid)

    def _catch_up(self) -> None:
        """Take note of what the workers have written in the event log."""
        generation = self._state.database.generation()
        if generation == self._generation:
            return
        self._generation = generation
        news = self._state.events.news(after=self._place, most=MOST_NEWS)
        if len(news) == MOST_NEWS:
            self._place = self._state.events.head()
            self._hear(None)
            return
        for place, owner_uuid, what in news:
            self._place = place
            container = what.actor_id if what.type == "container" else what.attributes.get("container")
            if container:
                self._note(owner_uuid, dockerids.vm_uuid(container))


def _one_of(uuids: Collection[str]) -> dict[str, Any]:
    """VMAPI predicate of some VMs; it takes no ``or`` of one."""
    terms: list[dict[str, Any]] = [{"eq": ["uuid", uuid]} for uuid in sorted(uuids)]
    return {"or": terms} if len(terms) > 1 else terms[0]


@cache
def _roster(vmapi: Vmapi, state: State) -> Roster:
    return Roster(vmapi, state)


def roster(call: Call) -> Roster:
    return _roster(call.services.vmapi, call.state)
