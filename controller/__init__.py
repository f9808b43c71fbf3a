"""What happens to an experiment: decided in `plan`, carried out by an engine."""
