"""What is wrong with an Experiment: all of it at once, by field.

`experiment.py` calls the checks of each subject; every check takes a piece and
its path, and reports to `Report`. A rule that Katib has keeps Katib's path and
kind of error.
"""

from .experiment import check_experiment

__all__ = ["check_experiment"]
