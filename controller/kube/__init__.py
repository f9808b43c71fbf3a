"""Experiments on Kubernetes: the API server behind a narrow port, and what stands on it."""
