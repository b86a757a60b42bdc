"""CNS: the DNS search suffixes of an account's containers."""

from datacenter.services.cns.model import Cns

__all__ = ["Cns"]
