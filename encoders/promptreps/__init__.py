"""PromptReps: a language model represents a text by one word."""
