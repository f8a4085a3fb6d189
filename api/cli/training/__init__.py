"""The kinds of `twindex train`, one module each."""
