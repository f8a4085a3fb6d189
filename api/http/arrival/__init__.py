"""What happens when a request arrives, before its body is read."""
