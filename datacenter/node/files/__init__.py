"""The program that looks into a container's files: ``python -m datacenter.node.files JOB``.

A process of its own for each look, so that megabytes of tar hold up nobody, nothing mounted for it outlives it,
and it can lock itself into the container's tree: no name, link or race of the container's leads it out. It needs
the standard library alone, and imports nothing once it is inside.
"""
