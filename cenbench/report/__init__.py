"""One frozen table object, rendered as HTML, LaTeX, CSV, JSON and terminal text; no metric is computed here."""
