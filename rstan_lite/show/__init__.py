"""Pictures: drawings on frames, figures, tables, short films, and figures that follow controls.

Every figure function is pure: arrays in, a `matplotlib.figure.Figure` out, with a text alternative
that `alt_text` returns. `keep` draws it once, writes the PNG and shows it in a notebook. Names are
loaded when first used, so that drawing on frames does not wait for the plotting libraries.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "overlay": "pixels",
    "place_map": "pixels",
    "common_peak": "pixels",
    "draw_contour": "pixels",
    "flow_to_colour": "pixels",
    "overlay_clip": "animation",
    "write_animation": "animation",
    "clip_strip": "clips",
    "attention_strip": "clips",
    "step_diagram": "diagram",
    "beta_heatmap": "temporal",
    "by_frame": "temporal",
    "curves": "temporal",
    "LiveCurves": "live",
    "sampling_figure": "sampling",
    "views_figure": "sampling",
    "covering_figure": "sampling",
    "flow_panels": "motion",
    "flow_stack": "motion",
    "flow_rows": "motion",
    "receptive_figure": "motion",
    "memory_figure": "memory",
    "accuracy_by_step": "memory",
    "sharpness_figure": "sharpness",
    "sharpness_curves": "sharpness",
    "features_figure": "sharpness",
    "effective_number": "sharpness",
    "sequence_table": "protocol",
    "protocol_figure": "protocol",
    "interval_figure": "uncertainty",
    "row_figure": "ledger",
    "claim_figure": "ledger",
    "pair_figure": "errors",
    "change_figure": "errors",
    "share_figure": "errors",
    "gallery_figure": "errors",
    "result_table": "results",
    "confusion_figure": "results",
    "line_chart": "charts",
    "number_grid": "charts",
    "attended_figure": "when",
    "frame_sharpness": "when",
    "step_attention": "when",
    "fused_bars": "fused",
    "fusion_figure": "fused",
    "trained_maps": "fused",
    "seeds_figure": "sweeps",
    "differences_figure": "sweeps",
    "sharpness_seeds": "sweeps",
    "Table": "rstan_lite.system.tables",
    "symbols": "notation",
    "explore": "controls",
    "every_position": "positions",
    "slider": "controls",
    "choice": "controls",
    "Picture": "style",
    "alt_text": "style",
    "keep": "style",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"rstan_lite.show has no {name!r}; it has {', '.join(__all__)}")
    home = _HOME[name]
    return getattr(import_module(home if "." in home else f"{__name__}.{home}"), name)
