"""Pages, rendered here; scripts keep them alive."""
