"""IMGAPI: images and their files; a docker image is a chain of them, one a layer."""

from datacenter.services.imgapi.model import Imgapi

__all__ = ["Imgapi"]
