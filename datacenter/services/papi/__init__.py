"""PAPI: the packages (sizes) that VMs are made in."""

from datacenter.services.papi.model import Papi

__all__ = ["Papi"]
