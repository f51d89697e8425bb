"""The command line. Everything here may need the `cli` extra and is imported by `turnout.__main__` only."""
