"""Architecture search over Katib's `nasConfig`."""
