"""Records of finished cells: writing, reading, verifying, and the fingerprints that decide when one is out of date."""
