"""nftables without a program being started: Debian's own library reads the text that ``nft`` would.

A change costs about a millisecond, where starting ``nft`` costs ten. One that takes something away costs more: the
kernel has it wait for a grace period.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import gevent.monkey

from datacenter.node import netlink

LIBRARY = "libnftables.so.1"
_TOO_HIGH = 1000
"""The library waits with select(), which ends the process for a descriptor of 1024 or more."""


_close = gevent.monkey.get_original("os", "close")
"""Closes at once: that of gevent closes when the loop comes round, and the number is not free before."""


def _reserve() -> list[int]:
    return [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(4)]


_reserved = _reserve()
"""Low descriptors, taken while there are some, and given to the library when it opens its own."""


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise OSError(f"{error}: apt-get install nftables") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.nft_ctx_get_error_buffer.argtypes = [ctypes.c_void_p]
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    return library


def run(text: str, netns: Path | None = None) -> None:
    """Carry out a script, all of it or nothing; no other greenlet runs meanwhile.

    ``netns`` is the network namespace that it is about, ours if None. Raises OSError with what ``nft`` would print.
    """
    library = _library()
    with netlink.inside(netns) if netns else nullcontext():
        context = _context(library)  # its socket stays in this namespace
    library.nft_ctx_buffer_output(context)
    library.nft_ctx_buffer_error(context)
    failed = library.nft_run_cmd_from_buffer(context, text.encode())
    complaint = library.nft_ctx_get_error_buffer(context).decode(errors="replace").strip() if failed else ""
    library.nft_ctx_free(context)  # here and now: the library is not made for several threads
    _reserved.extend(_reserve())
    if failed:
        raise OSError(f"nft: {complaint}")


def _context(library: ctypes.CDLL) -> int:
    """Open the library's socket on a low descriptor, whatever is open. Raises OSError when none is left."""
    while _reserved:
        _close(_reserved.pop())
    lowest = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    _close(lowest)
    if lowest >= _TOO_HIGH:
        raise OSError(errno.EMFILE, "nft needs a low descriptor, and all are taken")
    context: int = library.nft_ctx_new(0)
    return context
