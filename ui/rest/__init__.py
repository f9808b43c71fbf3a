"""Resources under `/api/v1`, as JSON."""
