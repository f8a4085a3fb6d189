"""Backgrounds: texts that a language model writes about a question before it is answered.

A generator reads them beside the passages that were found (generate-then-read). They are never
stored and never cited.
"""
