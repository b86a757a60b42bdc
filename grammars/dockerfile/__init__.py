"""Dockerfiles: what is written in one, and what its instructions make of an image's configuration.

Facts: the Dockerfile reference; moby's classic builder.
"""

from grammars.dockerfile.faults import DockerfileError

__all__ = ["DockerfileError"]
