"""An executed notebook as one HTML file that shows everything without internet.

nbconvert's own page fetches MathJax, require.js and the widget manager from elsewhere. Here
formulas become MathML; images are embedded; of scripts those of sliders stay, whose figures are
drawn beforehand; and a line stands for any other widget, which needs a running kernel.
"""

import html as html_text
import re
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rstan_lite.system.errors import NotebookError
from rstan_lite.system.files import write_atomically

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = "An interactive part stands here when the notebook is open in Jupyter."

# What latex2mathml can't read, and what says the same to it.
_MENDED = (
    (r"\\(begin|end)\{(?:aligned|align\*?|gathered)\}", r"\\\1{split}"),
    (r"\\[bB]igg?(?=\\[lr](?:floor|ceil))", ""),  # it knows no size of these; they stretch
    (r"\\bm(?![A-Za-z])", r"\\boldsymbol"),
    (r"\\arg\s*\\(max|min)(?![A-Za-z])", r"\\operatorname{arg\\,\1}"),
    (r"\\(math[a-z]+|boldsymbol)\s+([A-Za-z])", r"\\\1{\2}"),
    (r"\\tag\{(.*?)\}", r"\\qquad\\text{(\1)}"),
)
_LEFT_OVER = re.compile(r">\\[A-Za-z]+<|<mi>&</mi>")
_LINK = re.compile(r'<a [^>]*href="([^":#]+)(?:#[^"]*)?"[^>]*>(.*?)</a>', re.DOTALL)  # to a file
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)
_PROGRESS_BAR = re.compile(r"\d+%\||\d(?:it|s/it) \[|\[\d\d:\d\d[<,\]]")

_TEMPLATE = Path(__file__).with_name("page.html.j2")


def mathml(tex: str, display: bool = False) -> str:
    """A formula, without its dollar signs, as MathML; its TeX as code where that can't be had."""
    from latex2mathml.converter import convert

    source = tex.strip()
    for pattern, replacement in _MENDED:
        source = re.sub(pattern, replacement, source)
    try:
        result = convert(source, display="block" if display else "inline")
    except Exception:  # its errors share no base class; a formula it can't read is shown as typed
        result = ""
    if not result or _LEFT_OVER.search(result):
        return f'<code class="tex">{html_text.escape(tex.strip())}</code>'
    return result


def write_page(notebook: str | PathLike[str], page: str | PathLike[str]) -> Path:
    """Write the HTML page of an executed notebook.

    Raises NotebookError where the notebook is none, StoreError where the page can't be written.
    """
    import nbformat

    notebook, page = Path(notebook), Path(page)
    try:
        node = nbformat.read(notebook, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise NotebookError(notebook, f"an unreadable file ({error})", "a notebook") from None
    node.metadata.pop("widgets", None)
    words = "\n".join(cell.source for cell in node.cells if cell.cell_type == "markdown")
    heading = re.search(r"^# (.+)", words, re.MULTILINE)
    node.metadata.setdefault("title", heading[1].strip() if heading else notebook.stem)
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs = [shown for output in cell.outputs if (shown := still(output))]
    resources = {"metadata": {"name": notebook.stem, "path": str(notebook.resolve().parent)}}
    text, _ = _exporter().from_notebook_node(node, resources=resources)
    text = _LINK.sub(lambda link: _kept(link, page.parent), text)
    write_atomically(page, text.encode())
    return page


def _kept(link: re.Match[str], folder: Path) -> str:
    """A link to a file that lies where the page goes, or its words alone."""
    return link[0] if (folder / unquote(html_text.unescape(link[1]))).exists() else link[2]


def still(output: Any) -> Any:
    """An executed cell's output, changed in place to what a page without kernel can show.

    Widgets become a line that says so, formulas MathML; None for a progress bar.
    """
    if (data := output.get("data")) is None:
        return output
    data.pop("application/javascript", None)
    if WIDGET_MIME in data:
        text = data.get("text/plain", "")
        if set(data) <= {WIDGET_MIME, "text/plain"}:
            if _PROGRESS_BAR.search(text):
                return None
            data["text/html"] = f"<p><em>{WIDGET_NOTE}</em></p>"
        del data[WIDGET_MIME]
    if "text/latex" in data and "text/html" not in data:
        formula = _FORMULA.search(data["text/latex"])
        tex = (formula.group(1) or formula.group(2)) if formula else data["text/latex"]
        data["text/html"] = mathml(tex.replace(r"\displaystyle", ""), display=True)
    return output if data else None


def _exporter() -> Any:
    from jinja2 import pass_context
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        """Markdown in which formulas are MathML."""

        def block_math(self, body: str) -> str:
            return mathml(body, display=True)

        def inline_math(self, body: str) -> str:
            return mathml(body)

        def latex_environment(self, name: str, body: str) -> str:
            return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    @pass_context
    def markdown2html(context: Any, source: str) -> str:
        files = {"attachments": context.get("cell", {}).get("attachments", {})}
        files |= {"path": context.get("resources", {}).get("metadata", {}).get("path", "")}
        renderer = Renderer(escape=False, embed_images=True, **files)
        return MarkdownWithMath(renderer=renderer).render(source)

    exporter = HTMLExporter(raw_template=_TEMPLATE.read_text(encoding="utf-8"), embed_images=True)
    exporter.register_filter("markdown2html", markdown2html)
    return exporter
