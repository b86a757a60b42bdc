"""CNS: the DNS search suffixes of an account's containers."""

from datacenter.services.cns.model import Cns, suffixes

__all__ = ["Cns", "suffixes"]
