"""`python -m tunewright` is the command `tunewright`."""

from .cli.main import main

if __name__ == "__main__":
    main()
