"""What the runtime says when a container can't be made, told apart: the container's own fault, or the node's.

A client is shown the first kind, with paths as the container sees them. The second kind names the host's paths
and is for operators.
"""

from __future__ import annotations

import re
from typing import Any

from datacenter.node.tasks import TaskError

_REFUSED = "(invalid argument|numerical result out of range)"
_OWN_FAULTS = (
    (r"(chdir to .*): (permission denied)", "{}"),
    (r"mount `[^`]*` to `/?([^`]+)`: (not a directory)", "error mounting at /{}"),
    (r"mount `tmpfs` to `/?([^`]+)`: (invalid argument)", "error mounting at /{}"),
    (r'mounting "[^"]*" to rootfs at "/?([^"]+)":.*: (not a directory)', "error mounting at /{}"),
    (r'mounting "tmpfs" to rootfs at "/?([^"]+)":.*: (invalid argument)', "error mounting at /{}"),
    (r"mkdir `/?([^`]+)`: (not a directory)", "mkdir /{}"),
    (r"((?:open|write) (?:to )?/proc/sys/[\w./-]+): ([\w ]+)", "{}"),
    (rf"writing file `([a-z._]+)`: {_REFUSED}", "write {}"),
    (rf"write \S*/([a-z._]+): {_REFUSED}", "write {}"),
)
"""Pattern, anywhere and in any case, of what failed and why, and how to say what failed. crun's words and runc's."""


def start_failure(text: str) -> TaskError:
    """Turn the runtime's complaint into an error; InternalError unless the container is known to be at fault."""
    text = text.strip()
    if re.search("executable file .*not found", text, re.IGNORECASE):
        return TaskError("InitNotFound", text)
    for pattern, what in _OWN_FAULTS:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return TaskError("InitFailed", f"{what.format(found[1])}: {found[2].strip().lower()}")
    if re.search(r"\bexec(utable)?\b(?!\.).*permission denied", text, re.IGNORECASE):
        return TaskError("InitNotExecutable", text)
    return TaskError("InternalError", text or "conmon failed")


def blamed(error: TaskError, linux: dict[str, Any]) -> TaskError:
    """Blame a failure that nobody is known to be at fault for on the seccomp profile that was asked for, if any."""
    if error.rest_code != "InternalError" or not linux.get("SeccompProfile"):
        return error
    return TaskError("InitFailed", "the process could not be started under the seccomp profile that was asked for")
