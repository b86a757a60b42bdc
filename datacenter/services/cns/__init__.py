"""CNS: names of containers, and the DNS search suffixes they are told."""

from datacenter.services.cns.model import Cns
from datacenter.services.cns.names import suffixes

__all__ = ["Cns", "suffixes"]
