"""The services process: ``python -m datacenter.services --settings <state>/datacenter.json``."""

# ruff: noqa: E402 - sockets are made green before anybody imports them
from gevent import config, monkey

monkey.patch_all()
config.track_greenlet_tree = False

import argparse
import os
import signal
from pathlib import Path

import gevent
from gevent.event import Event

from datacenter.center import DataCenter
from datacenter.services.serving import Server
from datacenter.settings import load


def servers(dc: DataCenter) -> list[Server]:
    """One server per service this data center has."""
    settings = dc.settings
    applications = {
        name: getattr(dc, name).app
        for name in ("mahi", "papi", "napi", "fwapi", "cns", "imgapi", "cnapi", "wfapi", "vmapi", "volapi", "cloudapi")
    }
    return [
        Server(settings.port(name), application, getattr(getattr(dc, name), "upgrade", None))
        for name, application in applications.items()
    ]


def main() -> None:
    """Serve until told to stop. Jobs that an earlier process left unfinished are taken up at once."""
    parser = argparse.ArgumentParser(prog="datacenter.services", description=main.__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the instance's datacenter.json")
    settings = load(parser.parse_args().settings)
    os.umask(0o077)
    settings.state.mkdir(parents=True, exist_ok=True)
    dc = DataCenter(settings)
    dc.store.keep_room()
    dc.volapi.set_up()
    running = servers(dc)
    dc.resume()
    for server in running:
        server.start()
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopped.set)
    stopped.wait()
    for server in running:
        server.stop(timeout=1)
    dc.store.close()


if __name__ == "__main__":
    main()
