"""What is asked for: pydantic models of `params/`, and their pure expansion into frozen cells identified by content."""
