"""From the name of a model to the place and the identity of its weights on this machine."""
