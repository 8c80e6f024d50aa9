"""Figures: what is plotted as one frozen object, and its drawing."""
