"""IMGAPI: the layers of docker images, and pulls. It knows no repository names. Facts: sdc-apis 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sdc.http import LONG_SECONDS, ServiceClient


class Imgapi(ServiceClient):
    service = "imgapi"

    def list_images(self, **filters: Any) -> list[dict[str, Any]]:
        images: list[dict[str, Any]] = self.get("/images", query=filters)
        return images

    def get_image(self, uuid: str) -> dict[str, Any]:
        image: dict[str, Any] = self.get(f"/images/{uuid}")
        return image

    def import_docker_image(
        self, repo: str, *, tag: str | None = None, digest: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Pull an image's layers from its registry; yield the service's messages as they come.

        Exactly one of ``tag`` and ``digest``. The status is 200 even when the pull fails: the last message then
        has type ``error``. ``headers`` carries X-Registry-Auth and X-Registry-Config.
        """
        query = {"action": "import-docker-image", "repo": repo, "tag": tag, "digest": digest, "public": "false"}
        response = self.send("POST", "/images", query=query, headers=headers, timeout=LONG_SECONDS, stream=True)
        return self.lines(response)

    def push_docker_image(
        self, uuid: str, repo_and_tag: str, record: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Push the image whose top layer this is to a registry; yield the service's messages as they come.

        ``record`` is what ``create-docker-image`` told at its pull. The last message carries ``aux`` (Tag, Digest,
        Size) in its payload, or has type ``error``. ``headers`` carries X-Registry-Auth.
        """
        response = self.send(
            "POST",
            f"/images/{uuid}/push",
            query={"repoAndTag": repo_and_tag},
            body=record,
            headers=headers,
            timeout=LONG_SECONDS,
            stream=True,
        )
        return self.lines(response)

    def admin_import_image(self, uuid: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an unactivated image that keeps its uuid. 409 ImageUuidAlreadyExists when it is there."""
        query = {"action": "import", "skip_owner_check": "true"}
        image: dict[str, Any] = self.post(f"/images/{uuid}", query=query, body=manifest)
        return image

    def add_image_file(self, uuid: str, file: Any, *, compression: str, **checks: str) -> dict[str, Any]:
        """Upload a layer; ``file`` is an open binary file or an iterator of bytes."""
        response = self.send(
            "PUT",
            f"/images/{uuid}/file",
            query={"compression": compression, **checks},
            data=file,
            headers={"Content-Type": "application/octet-stream"},
            timeout=LONG_SECONDS,
        )
        image: dict[str, Any] = response.json()
        return image

    def update_image(self, uuid: str, changes: dict[str, Any]) -> dict[str, Any]:
        image: dict[str, Any] = self.post(f"/images/{uuid}", query={"action": "update"}, body=changes)
        return image

    def activate_image(self, uuid: str) -> dict[str, Any]:
        image: dict[str, Any] = self.post(f"/images/{uuid}", query={"action": "activate"})
        return image

    def delete_image(self, uuid: str) -> None:
        """Delete a layer. 422 ImageHasDependentImages when another is built on it."""
        self.delete(f"/images/{uuid}")

    def get_image_file(self, uuid: str) -> Iterator[bytes]:
        response = self.send("GET", f"/images/{uuid}/file", timeout=LONG_SECONDS, stream=True)
        chunks: Iterator[bytes] = response.iter_content(1 << 20)
        return chunks

    def ping(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.get("/ping")
        return answer
