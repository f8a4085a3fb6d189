"""Answers to questions: search, then a generator that reads the hits."""
