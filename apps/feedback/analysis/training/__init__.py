"""Building the shipped weights and training a shop's own model. Needs scikit-learn, never at serving time."""
