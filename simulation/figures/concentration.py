# SPDX-License-Identifier: Apache-2.0
"""How a language model narrows: mass on the likeliest next tokens, entropy, perplexity, and its words."""

from matplotlib.figure import Figure

from tailweave.simulation.figures.curves import Panel, draw_panels
from tailweave.simulation.measurements import Measurements

MASS = "top10_mass"
_PANELS = (
    Panel(MASS, "mass of the 10 likeliest next tokens ↓"),
    Panel("next_token_entropy", "entropy of the next token, nats ↑"),
)
_PERPLEXITIES = (
    Panel("perplexity_unseen", "perplexity, groups never seen ↓"),
    Panel("perplexity", "perplexity of held-out text ↓"),
)
_NETWORK = Panel("network_clustering", "clustering of the network of words")


def draw_concentration(table: Measurements) -> Figure | None:
    """Draw a panel each, as in ``curves``; None of a run whose models were asked for no next token.

    The perplexity is that on groups that a silo never saw, where it was measured.
    """
    if MASS not in table.metrics:
        return None
    perplexity = next((panel for panel in _PERPLEXITIES if panel.metric in table.metrics), _PERPLEXITIES[-1])
    return draw_panels(table, (*_PANELS, perplexity, _NETWORK))
