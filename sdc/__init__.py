"""Thin clients of the SDC services: one module, one class per service, methods named as the service names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sdc.cnapi import Cnapi
from sdc.cns import Cns
from sdc.fwapi import Fwapi
from sdc.imgapi import Imgapi
from sdc.mahi import Mahi
from sdc.napi import Napi
from sdc.papi import Papi
from sdc.vmapi import Vmapi
from sdc.volapi import Volapi


@dataclass(frozen=True, slots=True)
class DataCenterClients:
    """One client per service of a data center; shared by all calls of a worker."""

    vmapi: Vmapi
    cnapi: Cnapi
    imgapi: Imgapi
    napi: Napi
    papi: Papi
    fwapi: Fwapi
    volapi: Volapi
    mahi: Mahi
    cns: Cns | None
    urls: tuple[str, ...] = ()
    """Where all of them are."""

    @classmethod
    def connect(cls, urls: Mapping[str, str]) -> DataCenterClients:
        """Make the clients from service names to base URLs. Nothing is sent yet. No ``cns`` URL: no CNS."""
        return cls(
            vmapi=Vmapi(urls["vmapi"]),
            cnapi=Cnapi(urls["cnapi"]),
            imgapi=Imgapi(urls["imgapi"]),
            napi=Napi(urls["napi"]),
            papi=Papi(urls["papi"]),
            fwapi=Fwapi(urls["fwapi"]),
            volapi=Volapi(urls["volapi"]),
            mahi=Mahi(urls["mahi"]),
            cns=Cns(urls["cns"]) if urls.get("cns") else None,
            urls=tuple(filter(None, urls.values())),
        )
