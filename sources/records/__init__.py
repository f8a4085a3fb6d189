"""Readers of files with many documents: JSON lines, JSON arrays, tables, Parquet and Arrow."""
