"""FWAPI: the firewall rules of every account."""

from datacenter.services.fwapi.model import Fwapi

__all__ = ["Fwapi"]
