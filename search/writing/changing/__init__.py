"""Changes of stored documents without encoding: metadata, and what the changes require."""
