"""The limits of calls: threads, time and size."""
