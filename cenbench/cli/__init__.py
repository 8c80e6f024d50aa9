"""The front door: one thin command a step, no logic."""
