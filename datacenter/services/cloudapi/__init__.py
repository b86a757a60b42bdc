"""CloudAPI: the data center as its customers see it."""

from datacenter.services.cloudapi.model import CloudApi

__all__ = ["CloudApi"]
