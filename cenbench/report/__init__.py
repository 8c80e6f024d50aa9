"""Frozen tables, figures and claims, rendered as HTML, LaTeX, PDF, PNG, CSV, JSON and terminal text; no metric here."""
