"""Requests that no client sends: they must neither make the gateway fail nor leave anything behind."""
