"""Commands that keep a collection safe and up to date: snapshots and their restoration."""
