"""Find out what containers get from this machine."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

from datacenter.node import capabilities, cgroups, spawn
from datacenter.node.beneath import kernel_can
from datacenter.node.home import Home
from datacenter.node.spec import Host

INIT_PROGRAMS = ("docker-init", "tini-static", "tini", "catatonit")


def find_host(home: Home) -> Host:
    """Look at the machine once, when the agent starts."""
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = {name.removeprefix("RLIMIT_"): resource.getrlimit(getattr(resource, name)) for name in names}
    found = (shutil.which(name, path=spawn.PATH) for name in INIT_PROGRAMS)
    init = next((Path(program) for program in found if program), None)
    return Host(
        limits=limits,
        swap_accounting=cgroups.has_swap_accounting(),
        oom_score_adj=int(Path("/proc/self/oom_score_adj").read_text()),
        init_program=init,
        seccomp=Path("/proc/sys/kernel/seccomp").exists(),
        cgroup=home.cgroup,
        features=cgroups.features() | ({"volume-subpath"} if kernel_can() else set()),
        capabilities=capabilities.own(),
        privileged=home.settings.privileged,
        binds=bool(home.settings.host_binds) and kernel_can(),
    )
