"""Trials on one machine: processes, their devices, directories and limits."""
