"""Restart policies, as Docker writes them and as SDC stores them (``on-failure:3``)."""

from __future__ import annotations

from gateway.errors import InvalidParameter
from translators.containers.model import RestartPolicy

RESTART_POLICIES = "restart-policies"
"""Capability: the node carries all policies out as dockerd does."""

_KNOWN = ("", "no", "always", "on-failure", "unless-stopped")


def check_restart(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Raise InvalidParameter, in dockerd's words, for a policy that makes no sense."""
    if policy.Name not in _KNOWN:
        raise InvalidParameter(
            f"invalid restart policy: unknown policy '{policy.Name}'; "
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if policy.MaximumRetryCount < 0:
        raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    if policy.MaximumRetryCount and policy.Name != "on-failure":
        raise InvalidParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    if auto_remove and policy.Name not in {"", "no"}:
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")


def stored_policy(policy: RestartPolicy, *, supported: bool) -> str | None:
    """Write the value of ``docker:restartpolicy``; None when the container is not restarted.

    A stock node knows no ``unless-stopped``. ``always`` differs only after a reboot of the compute node, where it
    also starts what had been stopped by hand.
    """
    if policy.Name in {"", "no"}:
        return None
    if policy.Name == "unless-stopped" and not supported:
        return "always"
    if policy.MaximumRetryCount:
        return f"{policy.Name}:{policy.MaximumRetryCount}"
    return policy.Name


def policy_warning(policy: RestartPolicy, *, supported: bool) -> str | None:
    if policy.Name != "unless-stopped" or supported:
        return None
    return (
        "Restart policy unless-stopped is carried out as always: after a reboot of its compute node "
        "the container starts again even if it had been stopped."
    )


def shown_policy(stored: object) -> dict[str, object]:
    """Read ``docker:restartpolicy`` for inspect."""
    name, _, count = str(stored or "no").partition(":")
    return {"Name": name, "MaximumRetryCount": int(count) if count.isdigit() else 0}
