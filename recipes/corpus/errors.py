"""What a recipe says when it cannot go on: one sentence, without a traceback."""

from __future__ import annotations


class RecipeError(ValueError):
    """A recipe cannot go on; the message says why, and what to do."""
