"""``python -m datacenter.simulation --settings FILE``: all simulated compute nodes of an instance in one process."""

# ruff: noqa: E402 - sockets are made green before anybody imports them
from gevent import config, monkey

monkey.patch_all()
config.track_greenlet_tree = False

import argparse
import os
import sys
from pathlib import Path

import gevent

from datacenter.node.server import serve
from datacenter.settings import load
from datacenter.simulation.node import SimulatedNode
from datacenter.store import Store


def main() -> int:
    parser = argparse.ArgumentParser(prog="datacenter.simulation", description="Simulated compute nodes.")
    parser.add_argument("--settings", type=Path, required=True, help="datacenter.json of the instance")
    settings = load(parser.parse_args().settings)
    if not settings.simulated_nodes:
        sys.stderr.write("this instance has no simulated nodes: see COMPUTE_NODES_SIMULATED\n")
        return 2
    os.umask(0o077)
    settings.state.mkdir(parents=True, exist_ok=True)
    store = Store(settings.state / "simulated.sqlite")
    nodes = [SimulatedNode(settings, number, store) for number in range(settings.simulated_nodes)]
    for node in nodes:
        gevent.spawn(node.live)
    serve(settings.simulation_port, {node.server_uuid: node for node in nodes})
    return 0


if __name__ == "__main__":
    sys.exit(main())
