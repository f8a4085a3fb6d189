"""Routes of what a collection keeps besides its state: versions and snapshots."""
