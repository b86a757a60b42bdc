"""VOLAPI: the volumes that containers share, each with a storage VM of its own."""

from datacenter.services.volapi.model import Volapi

__all__ = ["Volapi"]
