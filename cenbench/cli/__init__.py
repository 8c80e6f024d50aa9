"""The command line: one thin command per step, with no logic of its own."""
