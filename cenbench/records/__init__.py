"""What a finished cell is: write, read and verify its record, and the fingerprints it is compared by. Torch-free."""
