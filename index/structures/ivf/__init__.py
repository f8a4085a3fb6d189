"""The ivf index: lists of vectors, each around a k-means centre."""
