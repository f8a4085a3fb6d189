"""Vectors as fewer bytes: codecs of single dimensions, and projections to fewer of them."""
