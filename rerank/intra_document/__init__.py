"""The intra-document cascade: of a long document only the windows that matter are read."""
