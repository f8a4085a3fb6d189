"""A language model asked for a text in one word (PromptReps)."""
