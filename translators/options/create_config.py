"""The rest of a create request: Config, NetworkingConfig, the parts of both, and the query."""

from __future__ import annotations

from typing import Any

from gateway.versions import ApiVersion
from translators.options.host_config import HOST_CONFIG, LINUX, NETWORK_NAMES, OPERATION, refusal, warning
from translators.options.row import Case, Fate, Option, Place

_MAC = "MacAddress is not supported: the data center chooses hardware addresses."


def _row(name: str, *samples: Any, fate: Fate = Fate.HONOURED, place: Place = Place.BODY, **more: Any) -> Option:
    return Option(operation=OPERATION, place=place, name=name, fate=fate, samples=samples, **more)


def _plain(name: str, note: str, **more: Any) -> Option:
    return _row(name, fate=Fate.PLAIN, note=note, **more)


CONFIG: tuple[Option, ...] = (
    _row("Image", proof="tests/unit/translators/containers/test_create.py::test_payload_is_the_one_sdc_docker_sends",
         cases=(refusal("nope", "No such image: nope:latest", 404),
                refusal("", "no image was named: Image must not be empty", 400))),
    _row("Hostname", "hosty"),
    _row("Domainname", "ex.test"),
    _row("User", "33:33", "www-data"),
    *(_row(name, True) for name in ("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin")),
    _row("StdinOnce", needs=LINUX, without=Fate.PLAIN, note="With `OpenStdin`.",
         proof="tests/unit/translators/containers/test_create.py::test_stdin_once_goes_with_open_stdin"),
    _row("ExposedPorts", {"53/udp": {}}, {"80/tcp": {}}, cases=(
        refusal({"x": {}}, 'invalid port specification: "x"', 400),
        warning({"80/sctp": {}}, "Exposed ports other than tcp and udp are not recorded."),
    )),
    _row("Env", ["A=1", "B"], note="`affinity:...` chooses a compute node and does not reach the container.", cases=(
        refusal(["=x"], "invalid environment variable: =x", 400),
    )),
    _row("Cmd", ["sleep", "1"]),
    _row("Entrypoint", ["/init"]),
    _row("Healthcheck", {"Test": ["CMD", "true"], "Interval": 10**9}, needs="health", cases=(
        refusal({"Test": ["CMD", "true"], "Interval": 1}, "Interval in Healthcheck cannot be less than 1ms", 400),
        refusal({"Test": ["BOGUS"]}, "unknown type BOGUS in Healthcheck", 400),
    )),
    _plain("ArgsEscaped", "Windows only."),
    _row("Volumes", {"/data": {}}, note="An anonymous volume of the container's own; at most 8.", cases=(
        refusal({"data": {}}, 'Invalid volume name "data" must start with "/"', 400),
    )),
    _row("WorkingDir", "/srv", cases=(refusal("here", "needs to be an absolute path", 400),)),
    _row("NetworkDisabled", fate=Fate.MAPPED, note="The same as `NetworkMode` `none`.",
         proof="tests/contract/test_options.py::test_a_disabled_network_is_none"),
    _row("MacAddress", fate=Fate.WARNED, until=ApiVersion(1, 51), cases=(warning("02:42:ac:11:00:02", _MAC),
         refusal("x", "invalid MAC address: x", 400))),
    _plain("OnBuild", "For images alone, as on a Docker host."),
    _row("Labels", {"k": "v"}, note="Tags of the VM. `com.joyent.package` chooses the package, `triton.*` are Triton's "
         "own. `gateway.explain` asks for a [dry run](explain.md).", cases=(
        refusal({"triton.bogus": "1"}, 'invalid label: Unrecognized special triton tag "triton.bogus"', 400),
        refusal({"com.joyent.package": "no-such"}, "no packages match parameters", 400),
    )),
    _row("StopSignal", "USR1", needs=LINUX, cases=(refusal("BOGUS", "invalid signal: BOGUS", 400),)),
    _row("StopTimeout", 0, -1, 7, needs=LINUX, since=ApiVersion(1, 25), note="0 kills at once, -1 waits for ever.", cases=(
        refusal(-2, "invalid stop timeout: must be -1 or more", 400),
    )),
    _plain("Shell", "Of health checks of the form `CMD-SHELL`; for the rest it is of images alone.", since=ApiVersion(1, 25)),
)  # fmt: skip

_END = "NetworkingConfig.EndpointsConfig.*."


def _endpoint(name: str, value: Any, fate: Fate, says: str, status: int = 0, **more: Any) -> Option:
    return _row(_END + name, fate=fate, cases=(Case(value=value, fate=fate, says=says, status=status),), **more)


_PRIMARY = "tests/unit/translators/containers/test_create.py::test_the_network_of_the_highest_priority_is_primary"
_ADDRESS = "tests/contract/test_options.py::test_an_address_is_asked_of_napi"

NETWORKING: tuple[Option, ...] = (
    _row("NetworkingConfig.EndpointsConfig", proof=_PRIMARY, note="Several from 1.44 on; each becomes a nic.", cases=(
        Case(value={"a": {}, "b": {}}, fate=Fate.REFUSED, status=400, version=ApiVersion(1, 43),
             says="Container cannot be connected to network endpoints: a, b"),
    )),
    _row(_END + "Aliases", ["db", "db.internal"], needs=NETWORK_NAMES, note="Refused on the default network, unless it is "
         "asked for by its own name."),
    _row(_END + "Links", ["other:cache"], needs=NETWORK_NAMES, note="Names for this container alone."),
    _endpoint("MacAddress", "02:42:ac:11:00:02", Fate.WARNED, _MAC, since=ApiVersion(1, 44)),
    _endpoint("DriverOpts", {"a": "b"}, Fate.WARNED, "DriverOpts on the network My-Fabric-Network have no effect.",
              since=ApiVersion(1, 32)),
    _row(_END + "GwPriority", proof=_PRIMARY, since=ApiVersion(1, 48), note="The highest is the primary nic, unless the "
         "container publishes ports: then the outside one is."),
    _row(_END + "IPAMConfig.IPv4Address", proof=_ADDRESS, cases=(
        refusal("x", "invalid IPv4 address: x", 400),
    )),
    _endpoint("IPAMConfig.IPv6Address", "fd00::5", Fate.REFUSED,
              "invalid endpoint settings: no configured subnet contains IP address fd00::5", 400,
              note="Networks of the data center have no IPv6 addresses to choose from."),
    _endpoint("IPAMConfig.LinkLocalIPs", ["169.254.3.4"], Fate.WARNED,
              "LinkLocalIPs on the network My-Fabric-Network have no effect."),
    _row(_END + "NetworkID", fate=Fate.PLAIN, note="What inspect showed may be sent back."),
)  # fmt: skip


def _of(parent: str, **fields: tuple[Fate, str]) -> tuple[Option, ...]:
    """Rows of a part that fares as its parent does, field by field."""
    return tuple(
        _row(f"{parent}.{name}", fate=fate, note=words, proof=f"option:{parent.removesuffix('.TmpfsOptions')}")
        for name, (fate, words) in fields.items()
    )


_AS_PARENT = (Fate.HONOURED, "")
PARTS: tuple[Option, ...] = (
    *_of("Healthcheck", Test=_AS_PARENT, Interval=_AS_PARENT, Timeout=_AS_PARENT, Retries=_AS_PARENT,
         StartPeriod=_AS_PARENT, StartInterval=(Fate.HONOURED, "From 1.44 on.")),
    *_of("HostConfig.LogConfig", Type=_AS_PARENT, Config=_AS_PARENT),
    *_of("HostConfig.RestartPolicy", Name=_AS_PARENT, MaximumRetryCount=_AS_PARENT),
    *_of("HostConfig.PortBindings.*.*", HostIp=(Fate.MAPPED, "Any address only."), HostPort=(Fate.MAPPED, "The same, or any where nodes advertise `port-remapping`.")),
    *_of("HostConfig.Ulimits.*", Name=_AS_PARENT, Soft=_AS_PARENT, Hard=_AS_PARENT),
    *_of("HostConfig.BlkioWeightDevice.*", Path=_AS_PARENT, Weight=_AS_PARENT),
    *(row for name in ("BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps")
      for row in _of(f"HostConfig.{name}.*", Path=_AS_PARENT, Rate=_AS_PARENT)),
    *_of("HostConfig.Devices.*", **dict.fromkeys(("PathOnHost", "PathInContainer", "CgroupPermissions"),
                                                 (Fate.REFUSED, "As `Devices`."))),
    *_of("HostConfig.DeviceRequests.*", **dict.fromkeys(("Driver", "Count", "DeviceIDs", "Capabilities", "Options"),
                                                        (Fate.REFUSED, "As `DeviceRequests`."))),
    *_of("HostConfig.Mounts.*", Type=_AS_PARENT, Source=_AS_PARENT, Target=_AS_PARENT, ReadOnly=_AS_PARENT,
         Consistency=(Fate.PLAIN, "Of Docker Desktop for Mac."), BindOptions=(Fate.REFUSED, "As type `bind`."),
         VolumeOptions=(Fate.HONOURED, "Of named volumes."), ImageOptions=(Fate.REFUSED, "As type `image`."),
         TmpfsOptions=_AS_PARENT, ClusterOptions=(Fate.REFUSED, "As type `cluster`.")),
    *_of("HostConfig.Mounts.*.TmpfsOptions", SizeBytes=_AS_PARENT, Mode=_AS_PARENT,
         Options=(Fate.HONOURED, "From 1.46 on.")),
)  # fmt: skip

QUERY: tuple[Option, ...] = (
    _row("name", place=Place.QUERY, proof="tests/unit/translators/containers/test_create.py::test_bad_names"),
    _row("platform", place=Place.QUERY, since=ApiVersion(1, 41), note="That of the data center's machines only.",
         proof="tests/unit/translators/containers/test_create.py::"
               "test_a_platform_that_no_node_has_is_refused_though_the_image_is_here"),
)  # fmt: skip

CREATE: tuple[Option, ...] = (*QUERY, *CONFIG, *HOST_CONFIG, *NETWORKING, *PARTS)
