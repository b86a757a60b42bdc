"""What each of CloudAPI's routes is called in the rules of policies."""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"<[^>]*>")

ROLE_TAGS = "setroletags"

_ROUTES = """
GET|getaccount  POST|updateaccount
GET /config|getconfig  PUT /config|updateconfig
GET /limits|getprovisioninglimits
GET /services|listservices
GET /datacenters|listdatacenters  GET /datacenters/*|getdatacenter
GET /keys|listkeys  POST /keys|createkey  GET /keys/*|getkey  DELETE /keys/*|deletekey
GET /users|listusers  POST /users|createuser  GET /users/*|getuser  POST /users/*|updateuser  DELETE /users/*|deleteuser
POST /users/*/change_password|changeuserpassword
GET /users/*/keys|listuserkeys  POST /users/*/keys|createuserkey
GET /users/*/keys/*|getuserkey  DELETE /users/*/keys/*|deleteuserkey
GET /accesskeys|listaccesskeys  POST /accesskeys|createaccesskey
GET /accesskeys/*|getaccesskey  POST /accesskeys/*|updateaccesskey  DELETE /accesskeys/*|deleteaccesskey
GET /users/*/accesskeys|listuseraccesskeys  POST /users/*/accesskeys|createuseraccesskey
GET /users/*/accesskeys/*|getuseraccesskey  POST /users/*/accesskeys/*|updateuseraccesskey
DELETE /users/*/accesskeys/*|deleteuseraccesskey
GET /roles|listroles  POST /roles|createrole  GET /roles/*|getrole  POST /roles/*|updaterole  DELETE /roles/*|deleterole
GET /policies|listpolicies  POST /policies|createpolicy
GET /policies/*|getpolicy  POST /policies/*|updatepolicy  DELETE /policies/*|deletepolicy
GET /packages|listpackages  GET /packages/*|getpackage
GET /images|listimages  POST /images|createimagefrommachine
GET /images/*|getimage  POST /images/*|updateimage  DELETE /images/*|deleteimage
GET /networks|listnetworks  GET /networks/*|getnetwork
GET /networks/*/ips|listnetworkips  GET /networks/*/ips/*|getnetworkip  PUT /networks/*/ips/*|updatenetworkip
GET /fabrics/default/vlans|listfabricvlans  POST /fabrics/default/vlans|createfabricvlan
GET /fabrics/default/vlans/*|getfabricvlan  PUT /fabrics/default/vlans/*|updatefabricvlan
DELETE /fabrics/default/vlans/*|deletefabricvlan
GET /fabrics/default/vlans/*/networks|listfabricnetworks  POST /fabrics/default/vlans/*/networks|createfabricnetwork
GET /fabrics/default/vlans/*/networks/*|getfabricnetwork  PUT /fabrics/default/vlans/*/networks/*|updatefabricnetwork
DELETE /fabrics/default/vlans/*/networks/*|deletefabricnetwork
GET /fwrules|listfirewallrules  POST /fwrules|createfirewallrule
GET /fwrules/*|getfirewallrule  POST /fwrules/*|updatefirewallrule  DELETE /fwrules/*|deletefirewallrule
POST /fwrules/*/enable|enablefirewallrule  POST /fwrules/*/disable|disablefirewallrule
GET /fwrules/*/machines|listfirewallrulemachines  GET /machines/*/fwrules|listmachinefirewallrules
GET /machines|listmachines  POST /machines|createmachine
GET /machines/*|getmachine  POST /machines/*|updatemachine  DELETE /machines/*|deletemachine
GET /machines/*/audit|getaudit
GET /machines/*/metadata|listmachinemetadata  POST /machines/*/metadata|addmachinemetadata
DELETE /machines/*/metadata|deleteallmachinemetadata
GET /machines/*/metadata/*|getmachinemetadata  DELETE /machines/*/metadata/*|deletemachinemetadata
GET /machines/*/tags|listmachinetags  POST /machines/*/tags|addmachinetags  PUT /machines/*/tags|replacemachinetags
DELETE /machines/*/tags|deletemachinetags
GET /machines/*/tags/*|getmachinetag  DELETE /machines/*/tags/*|deletemachinetag
GET /machines/*/nics|listnics  POST /machines/*/nics|addnic
GET /machines/*/nics/*|getnic  DELETE /machines/*/nics/*|removenic
GET /machines/*/snapshots|listmachinesnapshots  POST /machines/*/snapshots|createmachinesnapshot
GET /machines/*/snapshots/*|getmachinesnapshot  POST /machines/*/snapshots/*|startmachinefromsnapshot
DELETE /machines/*/snapshots/*|deletemachinesnapshot
GET /machines/*/disks|listmachinedisks  POST /machines/*/disks|createmachinedisk
GET /machines/*/disks/*|getmachinedisk  POST /machines/*/disks/*|resizemachinedisk
DELETE /machines/*/disks/*|deletemachinedisk
GET /machines/*/migrate|migratemachineestimate  POST /machines/*/migrate|migrate
GET /migrations|listmigrations  GET /migrations/*|getmigration  GET /migrations/*/watch|watchmigration
GET /volumes|listvolumes  POST /volumes|createvolume
GET /volumes/*|getvolume  POST /volumes/*|updatevolume  DELETE /volumes/*|deletevolume
GET /volumesizes|listvolumesizes
GET /changefeed|changefeed
PUT|setroletags  PUT /*|setroletags  PUT /*/*|setroletags
PUT /users/*/keys|setroletags  PUT /users/*/keys/*|setroletags
"""

ACTIONS: Mapping[str, str] = {
    route.strip(): action
    for route, _, action in (entry.partition("|") for entry in re.split(r"\n|  ", _ROUTES) if entry)
}
"""By method and path below the account, with a star for each variable."""


def route_key(method: str, path: str) -> str:
    """``GET /machines/<uuid>`` as it stands in ACTIONS."""
    return f"{method} {_VARIABLE.sub('*', path)}".strip()


def action(key: str, asked: str | None) -> str:
    """A route's name in rules; that of a machine's or image's update says what is ``asked`` of it."""
    name = ACTIONS[key]
    if name == "updatemachine" and asked:
        return {"enable_firewall": "enablemachinefirewall", "disable_firewall": "disablemachinefirewall"}.get(
            asked, f"{asked}machine"
        )
    if name == "updateimage" and asked in ("clone", "export"):
        return f"{asked}image"
    return name
