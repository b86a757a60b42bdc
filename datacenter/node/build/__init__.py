"""Images made on the node: of a container's changes, and by a Dockerfile."""
