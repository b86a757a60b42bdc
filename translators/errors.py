"""SDC's refusals as Docker's: one map from rest code to error kind.

Only what an account may know reaches its client: validation of its own input, placement and address shortage.
Everything else becomes a sentence about what was tried; the cause travels on the exception chain, for the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import (
    Conflict,
    DeadlineExceeded,
    DockerError,
    Forbidden,
    InternalError,
    InvalidParameter,
    NotFound,
    NotImplementedHere,
    Unavailable,
)
from sdc.errors import SdcError, SdcTimeout, SdcUnavailable

_NO_ROOM = {"NoAllocatableServersError", "VolumeServerNoResourcesError", "VolumesNotReachable", "VolumeInUse"}
_WRONG_INPUT = {"ValidationFailed", "ValidationError", "InvalidNetworks"}
_NO_ADDRESS = {"SubnetFull", "PoolFull"}
_MOUNTS: dict[str, type[DockerError]] = {
    "InvalidBind": InvalidParameter,
    "BindForbidden": Forbidden,
    "VolumePathNotFound": NotFound,
    "VolumePathEscapes": InvalidParameter,
}
"""What nodes say of a path that a container is to have, word for word for the client."""
_WRONG_STATE = {"UnallocatedVM", "VmNotRunning", "VmNotStopped", "Conflict"}


class NotShared(Conflict):
    """A container whose network another one is to have does not run."""


@contextmanager
def speaking_docker(doing: str) -> Iterator[None]:
    """Turn an SdcError of the block into an error kind; ``doing`` says what was tried (``problem starting ...``)."""
    try:
        yield
    except SdcError as error:
        raise explain(error, doing) from error


def explain(error: SdcError, doing: str) -> DockerError:
    """Choose the kind and the sentence for a refusal."""
    if isinstance(error, SdcTimeout):
        return DeadlineExceeded(f"{doing}: the data center did not answer in time")
    if isinstance(error, SdcUnavailable):
        return Unavailable(f"{doing}: the data center is not available, try again later")
    if error.code in _MOUNTS:
        return _MOUNTS[error.code](error.message)
    if error.code == "NetworkNotShared":
        return NotShared(error.message)
    if error.code in _WRONG_INPUT:
        return InvalidParameter(f"{doing}: {validation_details(error)}")
    if error.code in _NO_ROOM:
        return Conflict(f"{doing}: {error.message}")
    if error.code in _NO_ADDRESS or _is_full_pool(error):
        return Unavailable(f"{doing}: no address is left on the network")
    if "ip" in error.field_errors("UsedBy"):
        return Forbidden("Address already in use")  # by whom is nobody else's business
    if error.code == "NotSupported":
        return NotImplementedHere(f"{doing}: the compute node does not support this: {error.message}")
    if error.code in _WRONG_STATE:
        return Conflict(f"{doing}: the container's state does not allow it")
    if error.status == 404:
        return NotFound(f"{doing}: not found")
    return InternalError(doing)


def _is_full_pool(error: SdcError) -> bool:
    """Whether NAPI says that no network of a pool has an address left, which it does as of a wrong parameter."""
    told = [str(item.get("message")) for item in error.errors if item.get("field") == "network_uuid"]
    return any("pool" in message and "full" in message for message in told)


def validation_details(error: SdcError) -> str:
    """``Invalid VM parameters: "alias" (Duplicate) Already exists``: the message and what is said of each field."""
    fields = [
        " ".join(
            part for part in (f'"{item.get("field")}"', f"({item.get('code')})", str(item.get("message") or "")) if part
        )
        for item in error.errors
    ]
    return f"{error.message}: {', '.join(fields)}" if fields else error.message


def init_failure(error: SdcError, program: str) -> DockerError | None:
    """Explain why a container's first process did not start; None when the error is about something else.

    The docker CLI makes exit codes out of these words: 127 for ``executable file not found`` and ``no such
    file or directory``, 126 for ``permission denied``. Status 400 is dockerd's too.
    """
    started = (
        "failed to create task for container: sdc start failed: "
        "unable to start container process: error during container init: "
    )
    if error.code == "InitNotFound":
        reason = "stat {0}: no such file or directory" if "/" in program else "executable file not found in $PATH"
        return InvalidParameter(f'{started}exec: "{program}": {reason.format(program)}: unknown')
    if error.code == "InitNotExecutable":
        reason = "permission denied"
        if "is a directory" in error.message.lower():
            reason = f"is a directory: {reason}"  # 20.10 knows 126 by the second, 28 by either
        return InvalidParameter(f'{started}exec: "{program}": {reason}: unknown')
    if error.code == "LogDriverFailed":
        reason = f"failed to create task for container: failed to initialize logging driver: {error.message}"
        return DockerError(reason)
    if error.code == "InitFailed":
        return InvalidParameter(f"{started}{error.message}: unknown")
    return None
