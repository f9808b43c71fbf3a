"""The language that every room speaks.

Documents (`experiment`, `trial`, `suggestion`) are frozen pydantic models of
what users write and read. Everything else here is slotted frozen dataclasses:
what the core, the algorithms and the store pass to one another. No I/O, no
clock, no chance.
"""
