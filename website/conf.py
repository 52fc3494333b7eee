"""How Sphinx makes the site. It lies beside what it uses; the pages are made by `website.pages`."""

from __future__ import annotations

import importlib.util
import inspect
import shutil
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from rstan_lite import __version__  # noqa: E402
from rstan_lite.classroom.page import mathml  # noqa: E402
from website.docstrings import as_rst  # noqa: E402

# One of a library's files; the library itself is not needed.
(_ZIAMATH,) = importlib.util.find_spec("ziamath").submodule_search_locations
MATH_FONT = Path(_ZIAMATH) / "fonts" / "STIXTwoMath-Regular.ttf"

project = "rstan-lite"
author = "the rstan_lite authors"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]

nb_execution_mode = "off"  # website.execute has run them
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "mailto"]

highlight_language = "text"
add_module_names = False
autodoc_default_options = {"members": True, "member-order": "bysource", "ignore-module-all": True}
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
# A class's bare name in a signature, where two modules have one of that name: the link may lead to
# the namesake.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = "rstan-lite"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_domain_indices = False
html_show_search_summary = False  # would fetch pages, which a browser refuses to do from files
html_show_sphinx = html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"font-stack": "system-ui, sans-serif"},
    "dark_css_variables": {"font-stack": "system-ui, sans-serif"},
}

_LOG = logging.getLogger(__name__)


def _formula(translator: Any, node: nodes.Element) -> None:
    """Write a formula as MathML: browsers draw it by themselves, and screen readers read it."""
    display = isinstance(node, nodes.math_block)
    made = mathml(node.astext(), display=display)
    if not made.startswith("<math"):
        _LOG.warning("formula that can't become MathML: %s", node.astext(), location=node)
    anchors = "".join(f'<span id="{name}"></span>' for name in node["ids"])
    translator.body.append(f'<div class="math">{anchors}{made}</div>' if display else made)
    raise nodes.SkipNode


def _docstring(app: Sphinx, what: str, name: str, it: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_rst(lines)


def _signature(
    app: Sphinx, what: str, name: str, it: Any, options: Any, signature: str | None, returned: Any
) -> tuple[str, Any] | None:
    """A class's own parameters, where a base class takes any."""
    if what != "class" or not str(signature).startswith("(*args"):
        return None
    own = list(inspect.signature(it.__init__).parameters.values())[1:]
    return str(inspect.Signature(own)), returned


def _font(app: Sphinx, exception: Exception | None) -> None:
    if exception is None:
        shutil.copyfile(MATH_FONT, app.outdir / "_static" / MATH_FONT.name)


def setup(app: Sphinx) -> None:
    """Connect formulas, docstrings and the font of formulas."""
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    app.connect("build-finished", _font)
