"""Callbacks that report from the training loops of libraries, and end them when a trial is to stop.

A module a library, imported only by who uses it; the names of metrics are those
that the library shows.
"""
