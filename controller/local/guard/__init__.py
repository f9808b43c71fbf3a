"""The guard process; only its folder is on the path of the program that it is."""
