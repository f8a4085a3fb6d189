"""The spann index (SPANN): inverted lists on disk, and in memory one vector (head) per list."""
