"""Wait for what VOLAPI is at: a volume that is being made, or goes away."""

from __future__ import annotations

import time
from typing import Any

from gateway.call import Call
from gateway.errors import DeadlineExceeded, InternalError
from sdc.errors import SdcError, SdcUnavailable
from translators.errors import speaking_docker
from translators.jobs import pauses

Volume = dict[str, Any]


def settled(call: Call, volume: Volume) -> Volume:
    """Return a volume once it is ready. Raises InternalError when it can't be made, DeadlineExceeded.

    SDC: VOLAPI GET /volumes/:uuid
    """
    if volume["state"] == "creating":
        name = volume["name"]
        volume = _poll(call, volume, f"create {name}: problem creating volume") or {**volume, "state": "failed"}
    if volume["state"] != "ready":
        raise InternalError(f"create {volume['name']}: volume creation failed")
    return volume


def gone(call: Call, volume: Volume) -> None:
    """Return once a volume that is being deleted is not there any more. Raises InternalError, DeadlineExceeded.

    SDC: VOLAPI GET /volumes/:uuid
    """
    left = _poll(call, {**volume, "state": "deleting"}, f"remove {volume['name']}: problem deleting volume")
    if left is not None:
        raise InternalError(f"remove {volume['name']}: volume deletion failed")


def _poll(call: Call, volume: Volume, doing: str) -> Volume | None:
    """Return a volume as soon as it is in another state; None when it is gone."""
    end = time.monotonic() + call.remaining(call.config.job_timeout)
    with speaking_docker(doing):
        for pause in pauses():
            time.sleep(pause)
            try:
                seen = call.services.volapi.get_volume(volume["uuid"], call.owner.uuid)
            except SdcUnavailable:
                seen = volume  # it is just restarting
            except SdcError as error:
                if error.status == 404:
                    return None
                raise
            if seen["state"] != volume["state"]:
                return seen
            if time.monotonic() > end:
                raise DeadlineExceeded(f"{doing}: the data center is still at it")
    raise AssertionError("unreachable")
