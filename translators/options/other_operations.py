"""Options of every operation but create: what their queries, headers and bodies may say."""

from __future__ import annotations

from translators.options.calls import CONTRACT, E2E, MAPPED, PLAIN, REFUSED, UNIT, WARNED, body, query, rows
from translators.options.host_config import HOST_CONFIG
from translators.options.row import Case, Option, Place, no_effect

CONTAINERS: tuple[Option, ...] = (
    *query("container.list", f"{UNIT}/containers/test_listing.py", all="", limit="", size="", filters="",
           since="Removed in 1.25's document, served all the same.", before="As `since`."),
    *query("container.inspect", f"{E2E}/test_files.py", size=""),
    *query("container.top", f"{UNIT}/containers/test_mapping.py", ps_args="Columns of the data center's own list."),
    *query("container.logs", f"{UNIT}/containers/test_log_selection.py", follow="", stdout="", stderr="", since="",
           until="1.35", timestamps="", tail=""),
    *query("container.stats", f"{UNIT}/containers/test_stats.py", stream="", **{"one-shot": "1.41"}),
    *query("container.resize", f"{CONTRACT}/test_options.py", h="", w=""),
    *query("container.start", "", detachKeys=(PLAIN, "Keys are those of the attached connection.")),
    *query("container.stop", f"{UNIT}/containers/test_lifecycle.py", t="", signal="1.42"),
    *query("container.restart", f"{UNIT}/containers/test_lifecycle.py", t="", signal="1.42"),
    *query("container.kill", f"{UNIT}/containers/test_lifecycle.py", signal=""),
    *query("container.rename", f"{UNIT}/containers/test_lifecycle.py", name=""),
    *query("container.attach", f"{CONTRACT}/test_options_of_others.py", detachKeys="", logs="", stream="", stdin="", stdout="", stderr=""),
    *query("container.attach.websocket", f"{CONTRACT}/test_options_of_others.py", detachKeys="", logs="", stream="",
           stdin="1.42 To 1.41 all streams are joined.", stdout="1.42", stderr="1.42"),
    *query("container.wait", f"{UNIT}/containers/test_wait.py", condition="1.30"),
    *query("container.remove", f"{UNIT}/containers/test_lifecycle.py", force="",
           v=(MAPPED, "Anonymous volumes always go with their container.")),
    *query("container.remove", f"{UNIT}/containers/test_links.py", link=""),
    *query("container.archive.stat", f"{UNIT}/containers/test_archive.py", path=""),
    *query("container.archive.get", f"{UNIT}/containers/test_archive.py", path=""),
    *query("container.archive.put", f"{UNIT}/containers/test_archive.py", path="", copyUIDGID="1.28 needs:archive",
           noOverwriteDirNonDir="needs:archive"),
    *query("container.prune", f"{E2E}/test_lifecycle.py", filters=""),
)  # fmt: skip

_EXEC = f"{CONTRACT}/test_options_of_others.py"
EXECS: tuple[Option, ...] = (
    *body("exec.create", _EXEC, AttachStdin="", AttachStdout="", AttachStderr="", Tty="", Cmd="", DetachKeys="",
          Env="1.25 needs:exec-options", User="needs:exec-options", WorkingDir="1.35 needs:exec-options",
          ConsoleSize="1.42", Detach=(PLAIN, "What `exec.start` says counts."),
          Privileged=(REFUSED, "Containers of a data center are never privileged.")),
    *body("exec.start", _EXEC, Detach="", ConsoleSize="1.42"),
    *body("exec.start", f"{E2E}/test_docker_py.py",
          Tty="Without it output is framed. Whether the process has a terminal was said to `exec.create`."),
    *query("exec.resize", f"{CONTRACT}/test_options.py", h="", w=""),
)  # fmt: skip

_PLATFORM = "That of the data center's machines only."
_IMG = f"{UNIT}/images"
IMAGES: tuple[Option, ...] = (
    *query("image.list", f"{_IMG}/test_listing.py", filters="", filter="Removed in 1.41, served all the same."),
    *query("image.list", f"{_IMG}/test_lineage.py", all="With the steps that builds keep as their cache."),
    *query("image.list", "", digests=(PLAIN, "Digests are always told."), **{
        "shared-size": (PLAIN, "1.42 It stays -1, not known."),
        "manifests": (PLAIN, "1.47 Only one platform is stored of each image."),
    }),
    *query("image.create", f"{CONTRACT}/test_options_of_others.py", fromImage="", fromSrc="`-` only."),
    *query("image.create", f"{_IMG}/test_pull.py", tag="", platform=f"1.32 {_PLATFORM}"),
    *query("image.create", f"{_IMG}/test_load.py", repo="", message="", changes=""),
    *rows("image.create", Place.HEADER, f"{_IMG}/test_pull.py", **{"X-Registry-Auth": ""}),
    *query("image.inspect", f"{CONTRACT}/test_options_of_others.py", platform=f"1.49 {_PLATFORM}",
           manifests=(PLAIN, "1.48 Only one platform is stored of each image.")),
    *query("image.history", f"{CONTRACT}/test_options_of_others.py", platform=f"1.48 {_PLATFORM}"),
    *query("image.push", f"{_IMG}/test_push.py", tag="Without one, every tag of the repository.", platform=f"1.46 {_PLATFORM}"),
    *rows("image.push", Place.HEADER, f"{_IMG}/test_push.py", **{"X-Registry-Auth": ""}),
    *query("image.save", f"{_IMG}/test_save.py", platform=f"1.48 {_PLATFORM}"),
    *query("image.save.many", f"{_IMG}/test_save.py", names="", platform=f"1.48 {_PLATFORM}"),
    *query("image.search", f"{_IMG}/test_registries.py", term="", limit="", filters=""),
    *rows("image.search", Place.HEADER, f"{_IMG}/test_registries.py", **{"X-Registry-Auth": ""}),
    *rows("distribution.inspect", Place.HEADER, f"{_IMG}/test_registries.py", **{"X-Registry-Auth": ""}),
    *query("image.tag", f"{CONTRACT}/test_options_of_others.py", repo="", tag=""),
    *query("image.remove", f"{_IMG}/test_removal.py", force=""),
    *query("image.remove", f"{_IMG}/test_lineage.py", noprune=""),
    *query("image.remove", f"{CONTRACT}/test_options_of_others.py",
           platforms=(REFUSED, "1.50 An image of this data center has one platform.")),
    *query("image.prune", f"{E2E}/test_lifecycle.py", filters=""),
    *query("image.load", f"{_IMG}/test_load.py", quiet=""),
    *query("image.load", f"{_IMG}/test_save.py", platform=f"1.48 {_PLATFORM}"),
)  # fmt: skip

_LOGIN = f"{CONTRACT}/test_options_of_others.py"
SYSTEM: tuple[Option, ...] = (
    *body("system.auth", _LOGIN, username="", password="", serveraddress="", identitytoken="",
          email=(PLAIN, "Registries ask for none any more."), auth=(PLAIN, "`username` and `password` say the same.")),
    *query("system.df", f"{CONTRACT}/test_options_of_others.py", type="1.42"),
    *query("event.list", f"{UNIT}/events/test_stream.py", since="", until="", filters=""),
)  # fmt: skip


def _updates() -> list[Option]:
    """Update takes fields of HostConfig: limits are changed, the rest cannot be."""
    changed = {row.leaf: row for row in HOST_CONFIG if row.leaf in UPDATED}
    made = []
    for name, row in changed.items():
        made.append(
            Option(
                operation="container.update", place=Place.BODY, name=name, fate=row.fate, note=row.note,
                needs=row.needs, since=row.since, until=row.until, key=row.key, unset=row.unset,
                proof=f"{CONTRACT}/test_options.py::test_update_changes_every_limit_it_says",
                cases=tuple(case for case in row.cases if case.fate is WARNED and row.fate is WARNED),
            )
        )  # fmt: skip
    for name, value in NOT_UPDATED.items():
        made.append(
            Option(
                operation="container.update", place=Place.BODY, name=name, fate=WARNED,
                note="It is decided when the container is made.",
                cases=(Case(value=value, fate=WARNED, says=no_effect(name)),),
            )
        )  # fmt: skip
    return made


UPDATED = (
    "Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota", "CpusetCpus",
    "CpusetMems", "PidsLimit", "BlkioWeight", "RestartPolicy", "KernelMemory", "KernelMemoryTCP", "CpuRealtimePeriod",
    "CpuRealtimeRuntime", "CgroupParent", "CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth",
)  # fmt: skip
_THROTTLE = [{"Path": "/dev/sda", "Rate": 1}]
NOT_UPDATED = {
    "MemorySwappiness": 10, "OomKillDisable": True, "Init": True, "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}],
    "BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 200}],
    "BlkioDeviceReadBps": _THROTTLE, "BlkioDeviceWriteBps": _THROTTLE, "BlkioDeviceReadIOps": _THROTTLE,
    "BlkioDeviceWriteIOps": _THROTTLE,
    "Devices": [{"PathOnHost": "/dev/null"}], "DeviceCgroupRules": ["c 1:3 r"], "DeviceRequests": [{"Count": 1}],
}  # fmt: skip

OTHERS: tuple[Option, ...] = (*CONTAINERS, *_updates(), *EXECS, *IMAGES, *SYSTEM)
