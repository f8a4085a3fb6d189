"""ScaNN, configured."""
