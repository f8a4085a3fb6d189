"""Commands that change stored documents without encoding them."""
