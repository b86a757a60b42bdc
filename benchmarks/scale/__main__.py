"""How a data center of 10,000 VMs answers: ``python benchmarks/scale`` against an instance of simulated nodes.

    COMPUTE_NODES_SIMULATED=20 docker-gateway up && python benchmarks/scale

Fills the instance that INSTANCE names through its APIs, which may be interrupted and begun again, then measures.
``docker-gateway down`` takes all of it away.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fill import fill
from site_under_test import Site


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks/scale", description=__doc__)
    parser.add_argument("--vms", type=int, default=10_000)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=100, help="samples of each measurement")
    parser.add_argument("--only", choices=("fill", "measure"), help="leave the other half out")
    chosen = parser.parse_args()
    site = Site()
    print(f"{site.check()} simulated nodes")
    owners = fill(site, 0 if chosen.only == "measure" else chosen.vms, chosen.accounts)
    if chosen.only != "fill":
        from measure import Bench

        Bench(site, owners, chosen.rounds).run()
    print("resident MiB: " + ", ".join(f"{name} {size}" for name, size in site.memory().items()))


if __name__ == "__main__":
    main()
