"""System: version, info, registry login."""

from __future__ import annotations

from gateway.blueprints.binding import Resource
from gateway.call import Call, Reply
from gateway.errors import NotFound
from translators.system import auth, df, info, version

system = Resource("system")


@system.handles("system.version", direct=True)
def system_version(call: Call) -> Reply:
    return Reply(body=version.version(call))


@system.handles("system.info")
def system_info(call: Call) -> Reply:
    return Reply(body=info.info(call))


@system.handles("system.df")
def system_df(call: Call) -> Reply:
    return Reply(body=df.disk_usage(call))


@system.handles("system.auth", model=auth.AuthConfig)
def system_auth(call: Call) -> Reply:
    return Reply(body=auth.login(call, call.body))


@system.handles("plugin.list")
def plugin_list(_call: Call) -> Reply:
    """A data center has no plugins: the list is empty, and that is an honest answer."""
    return Reply(body=[])


@system.handles("plugin.inspect")
@system.handles("plugin.remove")
@system.handles("plugin.enable")
@system.handles("plugin.disable")
@system.handles("plugin.upgrade")
@system.handles("plugin.push")
@system.handles("plugin.set")
def plugin_named(call: Call) -> None:
    """No plugin has any name, so that ``docker inspect`` looks further."""
    raise NotFound(f'plugin "{call.target["name"]}" not found')
