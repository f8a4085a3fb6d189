"""The parts of the command `keys`: one module for each of its commands."""
