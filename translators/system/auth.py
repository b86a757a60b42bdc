"""Registry login: are these credentials good?"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.call import Call
from gateway.errors import InternalError, Unauthorized
from sdc import registry
from sdc.errors import SdcError, SdcUnavailable
from translators.images.registries import caller_of


class AuthConfig(msgspec.Struct, kw_only=True):
    """Body of POST /auth. An identity token stands in for a password that was exchanged for it."""

    username: str = ""
    password: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    auth: str = ""


def login(call: Call, config: AuthConfig) -> dict[str, Any]:
    """Check credentials against their registry; a 401 makes the CLI drop them.

    Docker: POST /auth   SDC: - (the registry itself)
    """
    server = config.serveraddress
    name = config.username or ("<token>" if config.identitytoken else "")
    password = config.identitytoken or config.password
    try:
        registry.login(server, caller_of(call, name, password))
    except SdcUnavailable as error:
        raise InternalError(
            f"login attempt to {server or 'docker.io'} failed: registry could not be reached"
        ) from error
    except SdcError as error:
        if error.status == 401:
            raise Unauthorized(
                f"login attempt to https://{server or registry.DOCKER_HUB}/v2/ failed with status: 401 Unauthorized"
            ) from error
        raise InternalError(f"login attempt to {server} failed with status {error.status}") from error
    return {"Status": "Login Succeeded", "IdentityToken": ""}
