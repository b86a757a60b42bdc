"""Running the whole thing on one machine: the embedded data center, the gateway, an account to try it with."""
