"""Other systems that Canopy tells about votes: one file each."""
