"""What runs here, in Docker's words."""

from __future__ import annotations

import platform
from typing import Any

from gateway.call import Call
from gateway.versions import CEILING, FLOOR, GATEWAY_VERSION
from translators.platforms import ARCHITECTURE


def version(call: Call) -> dict[str, Any]:
    """Describe the gateway as an Engine. ``GoVersion`` tells the runtime's version, as clients print it.

    Docker: GET /version   SDC: -
    """
    details = {
        "ApiVersion": str(CEILING),
        "Arch": ARCHITECTURE,
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": f"python{platform.python_version()}",
        "KernelVersion": platform.release(),
        "MinAPIVersion": str(FLOOR),
        "Os": "linux",
    }
    component = {"Name": "Engine", "Version": GATEWAY_VERSION, "Details": details}
    return {
        "Platform": {"Name": f"Triton Docker Gateway ({call.config.datacenter_name})"},
        "Components": [component],
        "Version": GATEWAY_VERSION,
        **{key: value for key, value in details.items() if key != "Experimental"},
    }
