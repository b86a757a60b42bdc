"""Write down every call: who, what, on which container, by which jobs, how it ended and how long it took."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta

from gateway.call import Call, HijackReply, Reply, StreamReply
from gateway.errors import DockerError, NotModified
from middleware.base import Middleware, Options
from middleware.censoring import censored

logger = structlog.get_logger("middleware.audit")

CLIENT_GONE = 499
_TOLD_BY_OTHERS = ("path", "query", "target", "user_agent", "headers", "body", "error", "reason")
"""Fields in which clients and services may have put secrets; the others are made here."""


class AuditOptions(Options, frozen=True):
    file: Annotated[
        str, Meta(description="Lines are appended to it; - is standard output; default: audit.log in state_dir")
    ] = "var/gateway/audit.log"
    headers: Annotated[bool, Meta(description="Write the request's headers, too, censored")] = False
    bodies: Annotated[bool, Meta(description="Write the decoded request body, too, censored")] = False
    body_limit: Annotated[int, Meta(ge=0, description="Bytes of JSON after which a body is cut off")] = 10_240


class Audit(Middleware):
    """Append one JSON object a call, when its reply's head is ready: a long stream is written when it opens.

    ``error`` is the sentence that the client is given, ``reason`` what is behind it and was not shown.
    Members before this one in the chain may refuse calls that it never sees. The file may be rotated by moving
    it away, which is seen before each line, and several workers may share it. A line that cannot be written is
    logged and never fails the call.
    """

    name = "audit"
    Options = AuditOptions
    options: AuditOptions

    def __init__(self, options: AuditOptions) -> None:
        super().__init__(options)
        self._file: tuple[int, os.stat_result] | None = None
        self._close: Callable[[], object] = lambda: None

    def after(self, call: Call, reply: Reply) -> None:
        line = self._line(call, reply.status)
        if isinstance(reply, StreamReply | HijackReply):
            line["stream"] = True
        self._write(line)

    def failed(self, call: Call, error: Exception) -> None:
        if isinstance(error, DockerError):
            line = self._line(call, error.status)
            causes = list(_causes(error))
        else:
            line = self._line(call, CLIENT_GONE if isinstance(error, ConnectionError) else 500)
            causes = [error, *_causes(error)]
        if not isinstance(error, NotModified):
            line["error"] = error.message if isinstance(error, DockerError) else "internal error"
        if causes:
            line["reason"] = "; ".join(str(cause) or type(cause).__name__ for cause in causes)
        self._write(line)

    def _line(self, call: Call, status: int) -> dict[str, Any]:
        account = call.account
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "audit": True,
            "req_id": call.request_id,
            "operation": call.operation.name,
            "account": account.uuid if account else None,
            "login": account.login if account else None,
            "principal": call.principal,
            "peer": call.peer.address,
            "transport": call.peer.transport,
            "method": call.method,
            "path": call.path,
            "query": dict(call.query),
            "target": dict(call.target),
            "api_version": str(call.version),
            "user_agent": call.headers.get("user-agent", ""),
            "status": status,
            "ms": round((time.monotonic() - call.began) * 1000, 3),
            "vms": list(dict.fromkeys(call.hints.get("vms", ()))),
            "jobs": list(call.hints.get("jobs", ())),
        }
        if self.options.headers:
            line["headers"] = dict(call.headers)
        if self.options.bodies and call.body is not None:
            line["body"] = call.body
        return line

    def _write(self, line: dict[str, Any]) -> None:
        try:
            line |= censored({name: line[name] for name in _TOLD_BY_OTHERS if name in line})
            if "body" in line:
                line["body"] = self._shortened(line["body"])
            self._append(msgspec.json.encode(line, enc_hook=repr) + b"\n")
        except (OSError, ValueError, TypeError) as error:
            logger.error("cannot write the audit line", reason=str(error), req_id=line["req_id"])  # noqa: TRY400

    def _shortened(self, body: Any) -> Any:
        text = msgspec.json.encode(body, enc_hook=repr)
        if len(text) <= self.options.body_limit:
            return body
        return text[: self.options.body_limit].decode(errors="replace") + "..."

    def _append(self, data: bytes) -> None:
        """Write the line in one call, so that lines of several workers do not mix."""
        os.write(self._descriptor(), data)

    def _descriptor(self) -> int:
        """Return the open file, anew when another has come into its place, or none."""
        if self.options.file == "-":
            return 1
        try:
            seen = os.stat(self.options.file)  # noqa: PTH116 - for every call of every client
        except FileNotFoundError:
            Path(self.options.file).parent.mkdir(parents=True, exist_ok=True)
        else:
            if self._file is not None and os.path.samestat(seen, self._file[1]):
                return self._file[0]
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.options.file, flags, 0o600)
        self._close()
        self._file, self._close = (descriptor, os.fstat(descriptor)), weakref.finalize(self, os.close, descriptor)
        return descriptor


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What an error was raised from, nearest first."""
    seen = {id(error)}
    while (cause := error.__cause__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        error = cause
