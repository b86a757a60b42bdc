"""Write down every call: who, what, on which container, by which jobs, how it ended and how long it took."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
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
    Members before this one in the chain may refuse calls that it never sees. The file is opened for each
    line, so it may be rotated by moving it away, and several workers may share it. A line that cannot be
    written is logged and never fails the call.
    """

    name = "audit"
    Options = AuditOptions
    options: AuditOptions

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
            line = censored(line)
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
        if self.options.file == "-":
            os.write(1, data)
            return
        path = Path(self.options.file)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What an error was raised from, nearest first."""
    seen = {id(error)}
    while (cause := error.__cause__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        error = cause
