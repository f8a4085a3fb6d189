"""Earlier states of a collection, and the versions of its documents."""
