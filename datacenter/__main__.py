"""``python -m datacenter``: the ``datacenter`` command."""

from datacenter.cli import main

main(prog_name="datacenter")
