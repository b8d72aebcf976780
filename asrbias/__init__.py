"""asrbias: CTC speech recognition that writes the names on your list, without retraining."""

__version__ = "0.1.0"
