"""One frozen table object -> HTML, LaTeX, CSV, JSON, terminal; and a page a cell. Torch-free, computes no metric."""
