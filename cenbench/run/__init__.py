"""Running one cell, from taking its lock to publishing its record."""
