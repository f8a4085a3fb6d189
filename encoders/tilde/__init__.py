"""TILDEv2: sparse vectors that weight only the tokens that occur in a passage."""
