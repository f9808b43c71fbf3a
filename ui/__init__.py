"""The page and its REST interface: what experiments do, in a browser."""
