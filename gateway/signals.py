"""Signals of the gateway's life, a public interface for operators' code.

Receivers run in the greenlet of the call: they must not block and must not raise. Every signal is sent with
the operation's name as sender and keyword arguments only.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

call_started = _signals.signal("call-started", doc="call=Call: identity is not known yet.")
call_finished = _signals.signal(
    "call-finished", doc="call=Call, status=int, seconds=float: the reply or the refusal is decided."
)
call_failed = _signals.signal("call-failed", doc="call=Call, error=BaseException: the chain or a translator refused.")
job_submitted = _signals.signal("job-submitted", doc="call=Call|None, job_uuid=str, vm_uuid=str, task=str.")
job_progressed = _signals.signal("job-progressed", doc="job_uuid=str, execution=str, task=str|None: state changed.")
job_finished = _signals.signal("job-finished", doc="job_uuid=str, vm_uuid=str, execution=str, seconds=float.")
stream_opened = _signals.signal("stream-opened", doc="call=Call: a hijacked or long stream begins.")
stream_closed = _signals.signal("stream-closed", doc="call=Call, seconds=float: it ended.")
