"""What metrics are computed from: confusion counts, pixels, features; and the tools to make them. No metric is here."""
