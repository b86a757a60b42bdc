"""``python -m datacenter.node --settings FILE --number N``: run one compute node, or clean up after it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from datacenter.node.home import Home
from datacenter.settings import load


def main() -> int:
    parser = argparse.ArgumentParser(prog="datacenter.node", description="A compute node of the embedded data center.")
    parser.add_argument("--settings", type=Path, required=True, help="datacenter.json of the instance")
    parser.add_argument("--number", type=int, default=0, help="which node of the instance")
    parser.add_argument("--cleanup", action="store_true", help="kill the node's containers and remove their traces")
    chosen = parser.parse_args()
    home = Home(load(chosen.settings), chosen.number)
    if chosen.cleanup:
        return _clean_up(home)
    home.enter()  # before gevent starts: only a process with one thread may change its mount namespace
    from gevent import config, monkey

    monkey.patch_all()
    config.track_greenlet_tree = False  # who spawned whom is for debugging: 10 µs and 2 KiB of each greenlet
    from datacenter.node.agent import Node
    from datacenter.node.server import serve

    node = Node(home)
    node.start()
    serve(home.settings.node_port(home.number), {home.server_uuid(): node})
    return 0


def _clean_up(home: Home) -> int:
    """Clean inside the namespace in a child, then, when nothing is left in it, let it go from outside."""
    import os

    child = os.fork()
    if child == 0:
        home.enter()
        from gevent import monkey

        monkey.patch_all()
        from datacenter.node.agent import Node

        Node(home).clean_up()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        home.leave_nothing()
    return code


if __name__ == "__main__":
    sys.exit(main())
