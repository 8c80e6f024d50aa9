"""One cell, from its lock to its published record: train, evaluate, write."""
