"""Log drivers: which options each takes, and what SDC stores of them. Facts: docker-on-triton 4.9."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from gateway.errors import InvalidParameter
from grammars.dockerids import short
from translators.containers.model import LogConfig

DEFAULT_DRIVER = "json-file"
LONGEST = 1024
"""Characters of the stored options."""

_SIZE = re.compile(r"([0-9]+)([kmg])", re.IGNORECASE)
_SIZES = {"k": 1000, "m": 1000**2, "g": 1000**3}
_HOST = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*")
_FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "authpriv", "ftp", "cron"),
    *(f"local{n}" for n in range(8)),
)
_TEMPLATE = re.compile(r"\{\{.*?\}\}")
_TEMPLATES = (
    "{{.ID}}",
    "{{.FullID}}",
    "{{.Name}}",
    "{{.ImageID}}",
    "{{.ImageFullID}}",
    "{{.ImageName}}",
    "{{.DaemonName}}",
)
"""The two ids are filled in here, the others by the compute node when the container starts."""
Check = Callable[[str], str | None]
"""Says what a value must be, or None when it is fine."""


def _address(protocols: Sequence[str], form: str, *, port_needed: bool) -> Check:
    def check(value: str) -> str | None:
        scheme, separator, rest = value.rpartition("://")
        if protocols and (not separator or scheme not in protocols):
            return f"{form} (invalid protocol)"
        if not protocols and separator:
            return f"{form} (invalid protocol)"
        host, colon, port = rest.partition(":")
        if not _HOST.fullmatch(host):
            return f"{form} (invalid host)"
        if (port_needed or colon) and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            return f"{form} (invalid port)"
        return None

    return check


def _max_size(value: str) -> str | None:
    match = _SIZE.fullmatch(value)
    return None if match and int(match[1]) else "a positive integer size ([0-9+][k|m|g])"


def _count(value: str) -> str | None:
    return None if value.isascii() and value.isdigit() and int(value) else "a positive integer"


def _facility(value: str) -> str | None:
    if value in _FACILITIES or (value.isascii() and value.isdigit() and int(value) <= 23):
        return None
    return f"one of: {','.join(_FACILITIES)}"


def _tag(value: str) -> str | None:
    unknown = [found for found in _TEMPLATE.findall(value) if found not in _TEMPLATES]
    return f"text with no other templates than {', '.join(_TEMPLATES)}" if unknown else None


@dataclass(frozen=True, slots=True)
class Driver:
    options: dict[str, Check]
    required: str = ""


_SYSLOG = _address(("udp", "tcp"), 'a syslog address "<udp|tcp>://<host>[:port]"', port_needed=False)
_GELF = _address(("udp",), 'a gelf address "udp://<host>:<port>"', port_needed=True)
_FLUENTD = _address((), 'a fluentd address "<host>:<port>"', port_needed=True)
_DRIVERS = {
    "json-file": Driver({"max-size": _max_size, "max-file": _count}),
    "syslog": Driver({"syslog-address": _SYSLOG, "syslog-facility": _facility, "syslog-tag": _tag}, "syslog-address"),
    "gelf": Driver({"gelf-address": _GELF, "gelf-tag": _tag}, "gelf-address"),
    "fluentd": Driver({"fluentd-address": _FLUENTD, "fluentd-tag": _tag}, "fluentd-address"),
    "none": Driver({}),
}


@dataclass(frozen=True, slots=True)
class LogPlan:
    """``driver`` is None when the request named none: SDC then stores nothing. ``max_size`` in bytes."""

    driver: str | None
    options: dict[str, str]
    max_size: int


def plan_log(config: LogConfig | None, *, docker_id: str, enabled: Sequence[str], default_size: int) -> LogPlan:
    """Check a log configuration and fill in its defaults. Raises InvalidParameter."""
    if config is None or not (config.Type or config.Config):
        return LogPlan(None, {}, default_size)
    name = config.Type or DEFAULT_DRIVER
    driver = _DRIVERS.get(name)
    if driver is None or name not in enabled:
        raise InvalidParameter(f"unsupported log driver: {name}")
    _check_options(name, driver, config.Config)
    options = _with_defaults(name, config.Config, docker_id)
    _check_length(msgspec.json.encode(options))
    match = _SIZE.fullmatch(options.get("max-size", ""))
    size = int(match[1]) * _SIZES[match[2].lower()] if match else default_size
    return LogPlan(name, options, size)


def _check_length(text: str | bytes) -> None:
    if len(text) > LONGEST:
        raise InvalidParameter(f"log options are longer than {LONGEST} characters")


def _check_options(name: str, driver: Driver, options: dict[str, str]) -> None:
    if options and not driver.options:
        raise InvalidParameter(f"log driver: {name} does not support options")
    for option, value in options.items():
        if option not in driver.options:
            raise InvalidParameter(f"unknown log opt '{option}' for {name} log driver")
        _check_length(value)
        wanted = driver.options[option](value)
        if wanted:
            raise InvalidParameter(f"log opt '{option}' must be {wanted}")
    if driver.required and driver.required not in options:
        raise InvalidParameter(f"missing required log opt '{driver.required}' for log driver: {name}")


def _with_defaults(name: str, options: dict[str, str], docker_id: str) -> dict[str, str]:
    filled = dict(options)
    tag = f"{name}-tag"
    if tag in _DRIVERS[name].options:
        text = options.get(tag, "{{.ID}}")
        filled[tag] = text.replace("{{.ID}}", short(docker_id)).replace("{{.FullID}}", docker_id)
    if name == "syslog":
        filled.setdefault("syslog-facility", "daemon")
        if ":" not in filled["syslog-address"].partition("://")[2]:
            filled["syslog-address"] += ":514"
    return filled
