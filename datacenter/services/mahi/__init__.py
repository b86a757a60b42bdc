"""MAHI: accounts, their keys and users, for those who authenticate."""

from datacenter.services.mahi.model import Mahi

__all__ = ["Mahi"]
