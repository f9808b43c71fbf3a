"""A one-node Kubernetes of this machine's own, for tests that need real pods.

Its programs are built from Go modules. Its node lives in namespaces of its own (`box`): nothing
listens on this machine, which reaches pods and Services over a link, and nothing is left behind.
"""
