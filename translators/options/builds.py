"""Options of commits and builds."""

from __future__ import annotations

from translators.options.calls import MAPPED, PLAIN, REFUSED, UNIT, WARNED, query, rows
from translators.options.row import Option, Place

_COMMIT = f"{UNIT}/containers/test_commit.py"
_BUILD = f"{UNIT}/images/test_build_options.py"
_CACHE = f"{UNIT}/images/test_build_cache.py"
_NO_ROOM = "Above 0 it keeps everything: steps take no room of their own."
_AS_CREATE = "As HostConfig's at create."

BUILDS: tuple[Option, ...] = (
    *query("container.commit", _COMMIT, container="needs:commit", repo="", tag="", comment="", author="", changes="",
           pause="needs:pause Where the node cannot pause, the container runs on."),
    *query("image.build", _BUILD, dockerfile="needs:build", t="", target="1.29", buildargs="", labels="", nocache="",
           pull="", q="", extrahosts=_AS_CREATE, memswap=_AS_CREATE, cpushares=_AS_CREATE, cpusetcpus=_AS_CREATE,
           cpuperiod=_AS_CREATE, cpuquota=_AS_CREATE, shmsize=_AS_CREATE, ulimits=_AS_CREATE, networkmode=_AS_CREATE,
           platform="1.32 That of the data center's machines only."),
    *query("image.build", _BUILD, memory=(MAPPED, "Chooses the package of the build's container, too.")),
    *query("image.build", "",
           cpusetmems=(WARNED, _AS_CREATE), cgroupparent=(WARNED, _AS_CREATE),
           cachefrom=(WARNED, "The cache is made of the account's own images."),
           rm=(WARNED, "`0` has no effect: the container of a build is always removed."),
           forcerm=(PLAIN, "The container of a build is always removed."),
           remote=(REFUSED, "The client sends the context: the data center fetches nothing."),
           squash=(REFUSED, "Every step is a layer."),
           outputs=(REFUSED, "1.40 BuildKit's."),
           securityopt=(REFUSED, "As on any Linux daemon."),
           isolation=(PLAIN, "Windows has others than `default`; they are refused."),
           session=(PLAIN, "BuildKit's."),
           version=(REFUSED, "1.38 `2` is BuildKit; `1`, the classic builder, is what there is.")),
    *query("image.build", _BUILD, buildid="1.39"),
    *rows("image.build", Place.HEADER, f"{UNIT}/images/test_credentials.py", **{"X-Registry-Config": ""}),
    *query("build.prune", _CACHE, all="1.39 Without it nothing goes: every step of a build is part of an image.",
           filters="1.31", keep__storage=f"1.39 {_NO_ROOM}", reserved__space=f"1.48 {_NO_ROOM}",
           max__used__space=f"1.48 {_NO_ROOM}", min__free__space=(PLAIN, "1.48 Steps take no room of their own.")),
    *query("build.cancel", "tests/e2e/test_build.py", id="1.39"),
)  # fmt: skip
