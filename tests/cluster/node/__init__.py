"""A one-node Kubernetes of this machine's own, for tests that need real pods.

Its programs are built from Go modules, its node runs on a bridge of its own,
and it listens there and on loopback only. One at a time on a machine.
"""
