"""Pictures: drawings on frames, figures, tables, short films, and figures that follow controls.

Every figure function is pure: arrays in, a `matplotlib.figure.Figure` out, with a text alternative
that `alt_text` returns. `keep` draws it once, writes the PNG and shows it in a notebook. Names are
loaded when first used, so that drawing on frames does not wait for the plotting libraries.
"""

from importlib import import_module

_HOME = {
    "show.frames": "overlay place_map common_peak draw_contour flow_to_colour write_animation",
    "show.strips": "clip_strip attention_strip flow_panels flow_stack flow_rows receptive_figure "
    "gallery_figure views_figure",
    "show.weights": "sharpness_figure sharpness_curves features_figure effective_number fused_bars "
    "fusion_figure frame_sharpness covering_figure by_frame beta_heatmap "
    "attended_figure step_attention",
    "show.charts": "curves LiveCurves result_table confusion_figure line_chart number_grid "
    "memory_figure accuracy_by_step",
    "show.comparisons": "interval_figure row_figure claim_figure pair_figure change_figure "
    "share_figure differences_figure sharpness_seeds",
    "show.concepts": "concept_figure",
    "show.diagrams": "step_diagram sampling_figure protocol_figure",
    "show.widgets": "explore every_position slider choice",
    "show.style": "Picture alt_text keep",
    "system.tables": "Table",
    "classroom.symbols": "symbols",
    "lab.protocols": "sequence_table",
}
_MODULES = {name: f"rstan_lite.{home}" for home, names in _HOME.items() for name in names.split()}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"rstan_lite.show has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_MODULES[name]), name)
