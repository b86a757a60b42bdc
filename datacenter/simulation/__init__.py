"""Compute nodes that keep books and start no process: for trying a data center at a size no machine could run."""
