"""Attributes of a call that more than one room writes or reads."""

from __future__ import annotations

ATTEMPTS = "noria.attempts"
"""One entry for each attempt at an answer, in order; absent where the first one answered. An entry has ``model``,
``outcome`` (``ok``, ``cancelled`` or an error's code), and where there was one the provider's ``status`` and the
``wait_s`` in seconds before the next attempt at the same model. ``asked`` is false where it was turned away here, and nobody asked."""
REFUSED_BY = "noria.refused_by"
"""Who or what turned the call down, where no model failed: ``limit``, ``guard``, ``caller`` for a mistake of the caller's, or where
nobody was asked ``breaker`` (open) or ``places`` (all taken)."""
ROUTE = "noria.route"
"""The route or alias by which the model was found; the outermost where routes lead to routes."""
CONTINUED = "noria.continued"
"""For each place where another model went on with an answer: after how many characters it did."""
KEY_ID = "noria.key_id"
"""Id of the virtual key that the call came with, or on whose account Noria made it."""
TEAM = "noria.team"
"""The key's team."""
DROPPED = "noria.dropped"
"""What was left out: of the request because the provider's wire can't carry it, of the answer because the caller's can't."""
PURPOSE = "noria.purpose"
"""Why Noria made the call by itself: ``judge``, ``guard``, or ``cache`` for a vector. Absent where somebody called."""
SHADOW = "noria.shadow_of"
"""Of a mirrored call: the app or route whose call it repeats. The call itself is its parent span."""
SPENT = "noria.spent"
"""What attempts used that broke off, or whose answer was not taken: one entry for each, with ``model`` (``provider/model``), ``usage``
in tokens, and ``counted``, whether the provider counted them. Part of the call's cost, and not of its token counts."""
ESTIMATED_INPUT = "noria.estimated.input_tokens"
"""Prompt tokens of a call that its provider never got to count, by Noria's estimate, of all its attempts together. They are no
part of the span's own token counts, nor of any sum of these."""
ESTIMATED_OUTPUT = "noria.estimated.output_tokens"
"""The same of generated tokens."""
