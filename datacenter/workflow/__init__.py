"""The job engine: chains of named tasks, recorded before they act, resumed after a crash."""
