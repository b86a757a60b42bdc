"""The gateway's own durable records: image names, links, exec sessions, events; shared by all workers of a host.

What the data center can hold lives there; this holds only what SDC has no place for (sdc-docker kept it in
Moray buckets). SQLite in WAL mode: short transactions, a kill -9 loses nothing that was answered for.
"""

from __future__ import annotations

from pathlib import Path

from gateway.state.builds import Builds
from gateway.state.container_journal import ContainerJournal
from gateway.state.database import Database
from gateway.state.event_log import EventLog
from gateway.state.exec_sessions import ExecSessions
from gateway.state.image_records import ImageRecords
from gateway.state.links import Links
from gateway.state.network_records import NetworkRecords
from gateway.state.presence import Presence
from gateway.state.reservations import Reservations
from gateway.state.undertakings import Undertakings


class State:
    """All records of one gateway; one instance a worker."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # environments of execs are in the records, whole images pass through uploads
        self.folder = folder
        """Also where uploads are put while they are read."""
        self.database = Database(folder / "gateway.sqlite")
        self.images = ImageRecords(self.database)
        self.exec_sessions = ExecSessions(self.database)
        self.events = EventLog(self.database)
        self.journal = ContainerJournal(self.database)
        self.links = Links(self.database)
        self.networks = NetworkRecords(self.database)
        self.reservations = Reservations(self.database)
        self.presence = Presence(folder)
        self.builds = Builds(self.database)
        self.undertakings = Undertakings(self.database, self.presence)
