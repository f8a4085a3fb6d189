"""TILDEv2: weights of a text's own tokens."""
