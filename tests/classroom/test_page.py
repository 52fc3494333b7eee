"""The page of an executed notebook shows everything without internet."""

import base64
import re
from pathlib import Path
from xml.etree import ElementTree

import nbformat

from rstan_lite.classroom.page import WIDGET_MIME, WIDGET_NOTE, mathml, write_page

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def loads(text: str) -> list[str]:
    """Addresses that a page's tags and styles would fetch."""
    tags = r"""\b(?:src|srcset|data|poster)=["'](.*?)["']|<link\b[^>]*?href=["'](.*?)["']"""
    styles = r"url\(['\"]?(.*?)['\"]?\)|@import\s+['\"](.*?)['\"]"
    found = ["".join(both) for rule in (tags, styles) for both in re.findall(rule, text)]
    return [address for address in found if not address.startswith(("data:", "#"))]


def build(folder: Path, *cells: nbformat.NotebookNode | str) -> str:
    """The page of a notebook; a text is a Markdown cell."""
    made = [nbformat.v4.new_markdown_cell(c) if isinstance(c, str) else c for c in cells]
    node = nbformat.v4.new_notebook(cells=made)
    node.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    nbformat.write(node, folder / "n.ipynb")
    return write_page(folder / "n.ipynb", folder / "n.html").read_text(encoding="utf-8")


def output(alt: str = "", **data: str) -> nbformat.NotebookNode:
    names = {"html": "text/html", "plain": "text/plain", "latex": "text/latex", "png": "image/png"}
    bundle = {names.get(name, WIDGET_MIME): value for name, value in data.items()}
    cell = nbformat.v4.new_code_cell("show()")
    metadata = {"image/png": {"alt": alt}} if alt else {}
    cell.outputs = [nbformat.v4.new_output("display_data", data=bundle, metadata=metadata)]
    return cell


def test_nothing_is_loaded_from_elsewhere_and_images_keep_their_words(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(base64.b64decode(PNG))
    text = build(
        tmp_path,
        "# Title\n\n$a_b$ and ![a picture](picture.png)",
        output(png=PNG, plain="<Figure>"),
        output('a dot, "small"', png=PNG),
    )
    assert loads(text) == []
    assert "<script" not in text
    assert text.count("<img") == text.count(f'src="data:image/png;base64,{PNG}"') == 3
    alts = re.findall(r"""<img[^>]* alt=(?:'([^']*)'|"([^"]*)")""", text)
    assert {a or b for a, b in alts} == {"a picture", "", 'a dot, "small"'}


def test_formulas_become_mathml_but_code_stays(tmp_path: Path) -> None:
    source = (
        "Inline $\\alpha_t * x_1 * y$ text, `$code$`.\n\n"
        "$$\n\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}\n$$\n\n"
        "\\begin{align} e &= f \\end{align}\n\n```\n$fence$\n```"
    )
    text = build(tmp_path, source, output(latex="$\\displaystyle x^2$", plain="x"))
    assert text.count("<math ") == 4
    assert text.count('display="block"') >= 3
    assert "$code$" in text
    assert "$fence$" in text
    assert "<em>" not in text
    assert "displaystyle x" not in text
    assert mathml(r"\mathbf{h} \mathbf h").count("&#x1D421;") == 2


def test_links_to_files_that_are_not_there_become_words(tmp_path: Path) -> None:
    (tmp_path / "a b.ipynb").touch()
    text = "[one](a%20b.ipynb#place) [two](gone.ipynb) [*3*](../no.md) [4](https://example.org) "
    page = build(tmp_path, text + "[5](#top)")
    body = page[page.index("<main") :]
    assert '<a href="a%20b.ipynb#place">one</a> two <em>3</em> <a ' in body
    assert 'href="https://example.org"' in body
    assert 'href="#top"' in body


def test_widgets_leave_a_note_and_progress_bars_leave_nothing(tmp_path: Path) -> None:
    text = build(
        tmp_path,
        output(widget="{}", plain="IntSlider(value=1)"),
        output(widget="{}", plain="  0%|          | 0/10 [00:00<?, ?it/s]"),
        output(widget="{}", plain="x", html="<p>a static stand-in</p>"),
    )
    assert text.count(WIDGET_NOTE) == 1
    assert "IntSlider" not in text
    assert "0/10" not in text
    assert "a static stand-in" in text


def test_formulas_are_well_formed_or_shown_as_typed() -> None:
    for tex in (
        r"\hat y = \operatorname{softmax}(\mathbf{W} h + b), \quad i \in \{1, \dots, C\}",
        r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix} \odot x^\top",
        r"\arg\max_x \bm{x} < 3",
        r"\mathbf c_t = \mathbf{x} \tag{16}",
        r"\Big\lfloor \big(t - \tfrac12\big)\,\frac{F}{T} \Big\rfloor + \big\lceil x \big\rceil",
    ):
        tree = ElementTree.fromstring(mathml(tex, display=True))
        assert tree.tag.endswith("math")
        assert tree.get("display") == "block"
        assert "\\" not in "".join(tree.itertext())
    for tex in (r"\frob{x}", r"\left( x", r"x_a_b", r"a & b <", ""):
        tree = ElementTree.fromstring(mathml(tex))
        assert (tree.tag, tree.text or "") == ("code", tex)


def test_hidden_cells_are_folded(tmp_path: Path) -> None:
    plain, hidden = (nbformat.v4.new_code_cell(source) for source in ("plain_one", "secret"))
    hidden.metadata.update(jupyter={"source_hidden": True}, tags=["blank"])
    text = build(tmp_path, plain, hidden)
    (folded,) = re.findall(r"<details>(.*?)</details>", text, re.DOTALL)
    assert "<summary>Solution</summary>" in folded
    assert "secret" in folded
    assert "plain_one" in text.replace(folded, "")
