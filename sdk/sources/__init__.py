"""Experiments where they are, a store of this machine or a cluster, behind one port."""
