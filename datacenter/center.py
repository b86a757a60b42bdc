"""The embedded data center: its services, put together in one process."""

from __future__ import annotations

from datacenter.services.cloudapi import CloudApi
from datacenter.services.cnapi import Cnapi
from datacenter.services.cns import Cns
from datacenter.services.fwapi import Fwapi
from datacenter.services.imgapi import Imgapi
from datacenter.services.mahi import Mahi
from datacenter.services.napi import Napi
from datacenter.services.papi import Papi
from datacenter.services.vmapi import Vmapi
from datacenter.services.volapi import Volapi
from datacenter.services.wfapi import Wfapi
from datacenter.settings import DcSettings
from datacenter.store import Store


class DataCenter:
    """Every service of one instance, over one store. They meet here and call one another as plain objects."""

    def __init__(self, settings: DcSettings, store: Store | None = None) -> None:
        self.settings = settings
        self.store = store or Store(settings.state / "dc.sqlite")
        self.mahi = Mahi(self)
        self.papi = Papi(self)
        self.napi = Napi(self)
        self.fwapi = Fwapi(self)
        self.cns = Cns(self)
        self.imgapi = Imgapi(self)
        self.cnapi = Cnapi(self)
        self.wfapi = Wfapi(self)
        self.vmapi = Vmapi(self)
        self.volapi = Volapi(self)
        self.cloudapi = CloudApi(self)

    def resume(self) -> None:
        """Take up the jobs that an earlier process left unfinished, and end the places that others left in queues.

        Before anything is served: a job of a new request must not be taken for a left one.
        """
        jobs = self.wfapi.engine.resume()
        self.cnapi.tickets.end_of_others({job.uuid for job in jobs})
        self.vmapi.taken_up(jobs)
        self.cnapi.tasks.resume()
        self.fwapi.spread.begin()
