"""Names on networks: containers find each other by them, through a resolver in each one's own network namespace.

``facts`` reads a VM's names, ``book`` knows everybody's, ``feed`` brings those of other nodes, ``answers`` speaks
DNS, ``upstream`` asks the world, ``resolver`` joins them.
"""
