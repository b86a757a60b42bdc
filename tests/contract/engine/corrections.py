"""Where the documents err, and what dockerd does instead: merge patches upon the facts of a range of versions."""

from __future__ import annotations

from typing import Any, NamedTuple

OPEN: dict[str, Any] = {"additionalProperties": True}
NEWEST = (9, 9)
ERROR = {"body": {"$ref": "#/shapes/ErrorResponse"}}


class Correction(NamedTuple):
    first: tuple[int, int]
    last: tuple[int, int]
    why: str
    patch: dict[str, Any]

    def concerns(self, version: tuple[int, int]) -> bool:
        return self.first <= version <= self.last


def _reply(operation: str, status: int, reply: dict[str, Any] | None) -> dict[str, Any]:
    return {"operations": {operation: {str(status): reply}}}


def _body(operation: str, **fields: Any) -> dict[str, Any]:
    return _reply(operation, 200, {"body": {"properties": fields}})


def _errors(status: int, operations: str) -> dict[str, Any]:
    """The same error of several operations, one a line."""
    told = {operation.strip(): {str(status): ERROR} for operation in operations.strip().splitlines()}
    return {"operations": told}


def _shape(name: str, **fields: Any) -> dict[str, Any]:
    return {"shapes": {name: {"properties": fields}}}


def _lines(shape: str) -> dict[str, Any]:
    return {"200": {"body": {"$ref": f"#/shapes/{shape}"}}}


NULLABLE = {"nullable": True}
TEXT = {"type": "string"}
DETAIL = {"type": "object", "properties": {"code": {"type": "integer"}, "message": TEXT}}
FLAT = {"status": TEXT, "id": TEXT, "from": TEXT}
ALWAYS = (1, 24)
SWARM = """
    GET /swarm
    GET /swarm/unlockkey
    POST /swarm/init
    POST /swarm/unlock
    GET /nodes
    GET /nodes/{}
    DELETE /nodes/{}
    POST /nodes/{}/update
    GET /services
    GET /services/{}
    GET /services/{}/logs
    DELETE /services/{}
    POST /services/{}/update
    GET /tasks
    GET /tasks/{}
    GET /secrets
    GET /secrets/{}
    POST /secrets/create
    DELETE /secrets/{}
"""
CORRECTIONS: tuple[Correction, ...] = (
    Correction(ALWAYS, NEWEST, "a nil map is null: no labels", _shape("ImageSummary", Labels=NULLABLE)),
    Correction(
        ALWAYS, NEWEST, "nil maps are null: no options, no labels", _shape("Volume", Options=NULLABLE, Labels=NULLABLE)
    ),
    Correction(
        (1, 45), NEWEST, "a driver of storage without any data (vfs) has none", _shape("DriverData", Data=NULLABLE)
    ),
    Correction(
        (1, 40), (1, 44), "the same by its former name", _shape("GraphDriverData", Data=NULLABLE)
    ),
    Correction(
        (1, 40), (1, 51), "containers and images are told of in the form of before 1.22, too",
        _shape("EventMessage", **FLAT),
    ),
    Correction((1, 25), (1, 25), "the same, and scope came later into all", _body("GET /events", **FLAT, scope=TEXT)),
    Correction(ALWAYS, NEWEST, "conflict: it does not run", _reply("GET /containers/{}/top", 409, ERROR)),
    Correction(ALWAYS, NEWEST, "conflict: it does not run", _reply("POST /containers/{}/pause", 409, ERROR)),
    Correction(ALWAYS, NEWEST, "conflict: it is not paused", _reply("POST /containers/{}/unpause", 409, ERROR)),
    Correction(ALWAYS, NEWEST, "a name that no volume may have", _reply("POST /volumes/create", 400, ERROR)),
    Correction(ALWAYS, NEWEST, "neither stdout nor stderr", _reply("GET /containers/{}/logs", 400, ERROR)),
    Correction(
        (1, 40), (1, 40), "the field came into all versions at once",
        {"shapes": {"SystemInfo": {"properties": {"OSVersion": TEXT}}}},
    ),
    Correction(
        ALWAYS, NEWEST, "a driver tells what it wants to (a map of anything in the Engine's own types)",
        _shape("Volume", Status={"additionalProperties": {"type": ["string", "integer", "array"]}}),
    ),
    Correction(
        ALWAYS, NEWEST, "what cannot be read or is not known in a query is the client's fault, wherever it is", _errors(400, """
            GET /networks
            POST /networks/prune
            POST /networks/{}/connect
            GET /events
            POST /containers/{}/wait
            GET /volumes
            GET /images/search
            GET /distribution/{}/json
            POST /images/create
            GET /images/{}/json
            GET /images/{}/history
            POST /commit
            POST /build
        """),
    ),
    Correction(
        ALWAYS, NEWEST, "what this account or this daemon is not let do",
        {"operations": _errors(403, "DELETE /networks/{}")["operations"] | _errors(401, "POST /auth")["operations"]},
    ),
    Correction(
        ALWAYS, (1, 40), "only managers of a swarm answer: told of everywhere, and in the documents of later versions",
        _errors(503, SWARM),
    ),
    Correction((1, 25), (1, 47), "came into all versions at once", _shape("Network", EnableIPv4={"type": "boolean"})),
    Correction(
        (1, 25), (1, 25), "came into all versions at once",
        _shape("Network", **{name: {"type": "boolean"} for name in ("Attachable", "Ingress", "ConfigOnly")},
               ConfigFrom={"type": "object"}),
    ),
    Correction((1, 40), (1, 41), "the same", _shape("Network", ConfigOnly={"type": "boolean"}, ConfigFrom={"type": "object"})),
    Correction((1, 25), (1, 25), "left out", _shape("NetworkContainer", Name=TEXT)),
    Correction(
        (1, 25), (1, 25), "of an error, not of progress",
        _shape("ProgressDetail", current={"type": "integer"}, total={"type": "integer"}),
    ),
    Correction(ALWAYS, NEWEST, "a name that is taken", _reply("POST /networks/create", 409, ERROR)),
    Correction(
        ALWAYS, NEWEST, "each line is a message, whose type the documents have without saying whose it is",
        {"operations": {
            "POST /images/create": _lines("CreateImageInfo"), "POST /images/{}/push": _lines("PushImageInfo"),
            "POST /images/load": _lines("BuildInfo"), "POST /build": _lines("BuildInfo"),
        }},
    ),
    Correction(
        ALWAYS, NEWEST, "messages tell whose progress it is, and a push what has become of it",
        {"shapes": {
            "PushImageInfo": {"properties": {
                "id": TEXT, "errorDetail": DETAIL, "aux": {
                    "type": "object", "properties": {"Tag": TEXT, "Digest": TEXT, "Size": {"type": "integer"}},
                },
            }},
            "CreateImageInfo": {"properties": {"id": TEXT, "errorDetail": DETAIL}},
            "BuildInfo": {"properties": {"aux": {"type": "object", "properties": {"ID": TEXT}}}},
        }},
    ),
    Correction(ALWAYS, NEWEST, "no such image", _errors(404, "GET /images/{}/get")),
    Correction((1, 25), (1, 25), "no such plugin", _errors(404, "POST /plugins/{}/enable\nPOST /plugins/{}/disable")),
    Correction(
        ALWAYS, NEWEST, "joined to the client's connection, as an attach is", _reply("POST /exec/{}/start", 101, {}),
    ),
    Correction(ALWAYS, NEWEST, "no such driver", _reply("POST /volumes/create", 404, ERROR)),
    Correction(
        ALWAYS, NEWEST, "what is not offered here says so: there are no plugins and no sessions of builds", _errors(501, """
            POST /session
            GET /plugins/privileges
            POST /plugins/pull
            POST /plugins/create
        """),
    ),
    # The first documents were written by hand from examples.
    Correction(
        (1, 25), (1, 25), "left out: checks are of 1.24",
        _body("GET /containers/{}/json", State={"properties": {"Health": {"type": "object"}}}),
    ),
    Correction((1, 25), (1, 25), "conflict: it does not run", _reply("POST /containers/{}/kill", 409, ERROR)),
    Correction((1, 25), (1, 25), "conflict: it runs", _reply("DELETE /containers/{}", 409, ERROR)),
    Correction((1, 25), (1, 25), "not modified has no body", _reply("POST /containers/{}/start", 304, {"body": None})),
    Correction((1, 25), (1, 25), "not modified has no body", _reply("POST /containers/{}/stop", 304, {"body": None})),
    Correction(
        (1, 25), (1, 25), "no warnings are null; required", _body("GET /volumes", Warnings=NULLABLE)
    ),
    Correction(
        (1, 25), (1, 25), "came into all versions at once",
        _shape("Volume", CreatedAt={"type": "string", "format": "date-time"}),
    ),
    Correction(
        (1, 25), (1, 25), "came into all versions at once",
        _body("GET /version", Platform={"type": "object"}, Components={"type": "array"}),
    ),
    Correction(
        (1, 25), (1, 25), "the document leaves out much of what was told, and more came into all versions at once",
        _reply("GET /info", 200, {"body": {**OPEN, "properties": {
            **{f"{part}Commit": OPEN for part in ("Containerd", "Runc", "Init")},
            "RegistryConfig": OPEN, "Plugins": OPEN,
        }}}),
    ),
    Correction(
        (1, 25), (1, 25), "a list, not a list of lists; the cache came into all versions at once",
        _body(
            "GET /system/df", BuildCache={"type": "array"},
            Containers={"items": None, "$ref": "#/shapes/ContainerSummary"},
        ),
    ),
    Correction(
        (1, 25), (1, 25), "the name is that of the reply for volumes",
        _body("POST /networks/prune", VolumesDeleted=None, NetworksDeleted={"type": "array", "items": TEXT}),
    ),
    Correction((1, 25), (1, 25), "came into all versions at once", _shape("Image", Metadata={"type": "object"})),
    Correction(
        (1, 25), (1, 25), "left out",
        _body("GET /exec/{}/json", CanRemove={"type": "boolean"}, DetachKeys=TEXT),
    ),
    Correction(
        (1, 25), (1, 25), "a map from paths; words may be none",
        _shape(
            "Config", Entrypoint={"type": ["array", "string", "null"]}, Cmd={"type": ["array", "string", "null"]},
            Volumes={"properties": None, "additionalProperties": {"type": "object"}},
        ),
    ),
    Correction(
        (1, 25), (1, 25), "a list for each port; Init is of this version, KernelMemory of before",
        _shape(
            "HostConfig", Init={"type": "boolean"}, KernelMemory={"type": "integer"},
            PortBindings={"additionalProperties": {"type": "array", "properties": None, "items": {
                "type": "object",
                "properties": {"HostIp": TEXT, "HostPort": TEXT},
            }}},
        ),
    ),
    Correction(
        (1, 25), (1, 25), "of another kind altogether, without what was told",
        {"shapes": {"NetworkConfig": {**OPEN, "properties": {"Ports": {"type": "object", "items": None}}}}},
    ),
)  # fmt: skip
