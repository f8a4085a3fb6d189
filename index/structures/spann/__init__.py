"""The spann index (SPANN): inverted lists on disk, their heads in memory."""
