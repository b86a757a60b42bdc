"""Options of networks."""

from __future__ import annotations

from translators.options.calls import PLAIN, REFUSED, UNIT, WARNED, body, query
from translators.options.row import Option

_NETWORKS = f"{UNIT}/networks/test_networks.py"
_ASKING = f"{UNIT}/networks/test_asking.py"
_JOINING = f"{UNIT}/networks/test_joining.py"
_LOST = (WARNED, "The answer's `Warnings` say so.")
_NAMES = "On nodes that advertise `network-names`; else the answer's `Warnings` say so. `bridge` has none."
_ONE_KIND = (REFUSED, "Give each network its own configuration.")
NETWORKS: tuple[Option, ...] = (
    *query("network.list", _NETWORKS, filters=""),
    *query("network.inspect", _NETWORKS, scope="1.31"),
    *query("network.inspect", "", verbose=(PLAIN, "1.28 Only services of a swarm have more to tell.")),
    *query("network.prune", _NETWORKS, filters="1.25 Of networks that Docker clients made."),
    *body("network.create", _NETWORKS, Name="", Labels="", Options="The MTU; others are kept, with a warning.",
          Internal="", CheckDuplicate=(PLAIN, "Names are always unique."),
          Attachable=(PLAIN, "Every network is.")),
    *body("network.create", _ASKING, Driver="`bridge`, `overlay` and `Triton` are the same.",
          Ingress=(REFUSED, "A data center is no swarm."), ConfigOnly=_ONE_KIND, ConfigFrom=_ONE_KIND,
          EnableIPv6=(REFUSED, "Networks have IPv4 addresses only."), EnableIPv4="1.48 Never without.",
          Scope="`local` and `global` are the same, `swarm` is refused.", IPAM=""),
    *body("network.create", _ASKING, **{
        "IPAM.Driver": "`default` only.", "IPAM.Config": "One subnet.", "IPAM.Options": "Kept, with a warning.",
        "IPAM.Config.*.Subnet": "", "IPAM.Config.*.IPRange": "", "IPAM.Config.*.Gateway": "",
    }),
    *body("network.create", _ASKING, **{
        "ConfigFrom.Network": _ONE_KIND,
        "IPAM.Config.*.AuxiliaryAddresses": (REFUSED, "Keep addresses out with an IP range."),
    }),
    *body("network.connect", _JOINING, Container="At once where the node advertises `nic-hotplug`, else while it is stopped.",
          EndpointConfig=""),
    *body("network.connect", _JOINING, **{
        "EndpointConfig.IPAMConfig": "", "EndpointConfig.IPAMConfig.IPv4Address": "",
        "EndpointConfig.Aliases": _NAMES, "EndpointConfig.Links": _NAMES,
    }),
    *body("network.connect", _JOINING, **{
        "EndpointConfig.IPAMConfig.IPv6Address": (REFUSED, "Networks have IPv4 addresses only."),
        "EndpointConfig.IPAMConfig.LinkLocalIPs": _LOST,         "EndpointConfig.MacAddress": _LOST, "EndpointConfig.DriverOpts": _LOST, "EndpointConfig.GwPriority": _LOST,
        "EndpointConfig.NetworkID": (PLAIN, "The path names the network."),
    }),
    *body("network.disconnect", _JOINING, Container="", Force=(PLAIN, "Leaving needs nobody's consent.")),
)  # fmt: skip
