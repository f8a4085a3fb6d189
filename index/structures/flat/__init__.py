"""Every vector is compared."""
