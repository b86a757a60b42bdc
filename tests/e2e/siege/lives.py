"""The lives that containers lead in the siege: what each is made of, what is done to it, and how it must have gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

GONE = "gone"
ENDS = "create start die:{code}"
RUNS = "create start"
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One kind of container. ``story`` is a regular expression of its events, ``action:exit code or signal``."""

    name: str
    command: str
    story: str
    status: str
    """``gone`` for one that is not there any more; alternatives are parted by blanks."""
    code: int = 0
    host: Json = field(default_factory=dict)
    check: Json | None = None
    deed: str = ""
    """What is done to it while it lives: ``METHOD path``, after ``/containers/<id>``."""
    started: bool = True
    oom: bool = False
    health: str = ""
    restarts: int | None = 0
    """RestartCount; None when it is as many as there were starts."""

    def body(self) -> Json:
        """What is posted to make one."""
        body: Json = {"Image": "busybox", "Cmd": ["sh", "-c", self.command], "HostConfig": dict(self.host)}
        return body | ({"Healthcheck": self.check} if self.check else {})

    def name_after(self, name: str) -> str:
        return f"{name}-new" if "/rename" in self.deed else name


def policy(name: str, retries: int = 0) -> Json:
    return {"RestartPolicy": {"Name": name, "MaximumRetryCount": retries}}


def every_second(test: str, retries: int) -> Json:
    return {"Test": ["CMD-SHELL", test], "Interval": SECOND, "Timeout": 5 * SECOND, "Retries": retries}


SLEEPER = "trap 'exit 4' TERM; trap : USR1; while :; do sleep 0.5; done"
TURNS = "[ $(( $(date +%s) / 3 % 2 )) = 0 ]"
STOPPED = "(kill:15 stop die:4|kill:15 die:4 stop)"
LOOPS = RUNS + "( die:{code} start)*( die:{code})?"

LIVES = (
    Life(name="done", command="exit 0", story=ENDS, status="exited"),
    Life(name="failed", command="exit 7", story=ENDS, status="exited", code=7),
    Life(name="later", command="sleep 8; exit 9", story=ENDS, status="exited", code=9),
    Life(name="much-later", command="sleep 20; exit 11", story=ENDS, status="exited", code=11),
    Life(name="retried", command="exit 5", story=RUNS + "( die:5 start){0,3} die:5", status="exited", code=5,
         host=policy("on-failure", 3), restarts=3),
    Life(name="retried-slowly", command="sleep 3; exit 6", story=RUNS + "( die:6 start){0,3} die:6", status="exited",
         code=6, host=policy("on-failure", 3), restarts=3),
    Life(name="content", command="sleep 5", story=ENDS, status="exited", host=policy("on-failure", 3)),
    Life(name="loops", command="sleep 2; exit 3", story=LOOPS, status="running restarting", code=3,
         host=policy("always"), restarts=None),
    Life(name="loops-too", command="sleep 4", story=LOOPS, status="running restarting", host=policy("unless-stopped"),
         restarts=None),
    Life(name="steady", command=SLEEPER, story=RUNS, status="running", host=policy("always")),
    Life(name="stopped", command=SLEEPER, story=f"{RUNS} {STOPPED}", status="exited", code=4,
         host=policy("unless-stopped"), deed="POST /stop?t=20"),
    Life(name="stopped-hard", command="trap '' TERM; while :; do sleep 1; done", status="exited", code=137,
         story=f"{RUNS} kill:15 kill:9 (stop die:137|die:137 stop)", deed="POST /stop?t=1"),
    Life(name="killed", command=SLEEPER, story=f"{RUNS} kill:9 die:137", status="exited", code=137, deed="POST /kill"),
    Life(name="restarted", command=SLEEPER, story=f"{RUNS} {STOPPED} start restart", status="running",
         deed="POST /restart?t=20"),
    Life(name="removed", command=SLEEPER, story=f"{RUNS} kill:9 die:137 destroy", status=GONE, deed="DELETE ?force=1"),
    Life(name="rm", command="sleep 6; exit 8", story=f"{ENDS} destroy", status=GONE, code=8, host={"AutoRemove": True}),
    Life(name="paused", command=SLEEPER, story=f"{RUNS} pause", status="paused", deed="POST /pause"),
    Life(name="renamed", command=SLEEPER, story=f"{RUNS} rename", status="running", deed="POST /rename?name={name}-new"),
    Life(name="created", command=SLEEPER, story="create", status="created", started=False),
    Life(name="oom", command="sleep 3; a=x; while :; do a=$a$a; done", story=f"{RUNS} oom die:137", status="exited",
         code=137, oom=True, host={"Memory": 20 << 20}),
    Life(name="healthy", command=SLEEPER, story=f"{RUNS} health:healthy", status="running", health="healthy",
         check=every_second("true", 1)),
    Life(name="unhealthy", command=SLEEPER, story=f"{RUNS} health:unhealthy", status="running", health="unhealthy",
         check=every_second("false", 2)),
    Life(name="flapping", command=SLEEPER, status="running", health="healthy unhealthy", check=every_second(TURNS, 1),
         story=RUNS + "( health:unhealthy)?( health:healthy health:unhealthy)*( health:healthy)?"),
    Life(name="sick-end", command="sleep 9; exit 12", status="exited", code=12, health="unhealthy",
         check=every_second("false", 1), story=f"{RUNS}( health:unhealthy)? die:12"),
)  # fmt: skip


def story(events: list[Mapping[str, Any]]) -> str:
    """What was told of one container, in a line; execs of health checks and attaching clients are not its life."""
    words = []
    for event in events:
        action, attributes = event["Action"], event["Actor"]["Attributes"]
        if action.startswith("health_status"):
            words.append(action.replace("health_status: ", "health:"))
        elif action in {"die", "kill"}:
            words.append(f"{action}:{attributes.get('exitCode', attributes.get('signal'))}")
        elif not action.startswith("exec_"):
            words.append(action)
    return " ".join(words)
