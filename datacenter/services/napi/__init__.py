"""NAPI: networks, fabrics, nics and their addresses."""

from datacenter.services.napi.model import Napi

__all__ = ["Napi"]
