"""Look at every page of a site in Chromium, from files, as a reader without internet would.

`python -m tests.site.crawl [FOLDER]` looks at a whole one.
"""

import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

from tests.chromium import NoChromiumError, launched

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
PARTS = """async () => {
    const images = [...document.images];
    await Promise.all(images.map((image) => image.decode().catch(() => null)));
    const headings = document.querySelector("article").querySelectorAll("h1, h2, h3, h4, h5, h6");
    return {
        links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
        ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
        images: images.map((i) => [i.src.slice(0, 200), i.naturalWidth, i.alt]),
        levels: [...headings].map((h) => Number(h.tagName[1])),
        typed: [...document.querySelectorAll("code.tex")].map((e) => e.textContent),
        outputs: [...document.querySelectorAll(".cell_output")].map((e) => e.innerText),
        noise: document.querySelectorAll(".stderr, .system-message, .problematic").length,
        unnamed: [...document.querySelectorAll("input, button, select")].filter((e) =>
            !e.labels?.length && !e.ariaLabel && !e.title && !e.innerText
            && e.checkVisibility()).map((e) => e.outerHTML.slice(0, 200)),
        formulas: document.querySelectorAll("math").length,
    };
}"""
# A path of a machine in what a cell printed; /path/to/ stands for one.
MACHINE = re.compile(r"(?<![\w./:])/(?!path/to/)(?:[\w.-]+/)+[\w.-]*")


@dataclass
class Seen:
    """What a crawl counted, and what it found wrong, each with its page."""

    pages: int = 0
    links: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)
    images: int = 0
    formulas: int = 0
    texts: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = (
            f"{self.pages} pages, {len(self.links)} links inside, {len(self.outside)} to "
            f"elsewhere, {self.images} images, {self.formulas} formulas, {self.texts} texts"
        )
        return "\n".join([counts, f"{len(self.wrong)} errors", *self.wrong])


def crawl(browser: Any, site: Path) -> Seen:
    """Follow every link of the site from its first page, and look at each page.

    Each is looked at on a phone and on a desk, in light and in dark. Pages are opened as files and
    the browser is offline. What is wrong: see `_look` and the end of this function.
    """
    seen, site = Seen(), site.resolve()
    base = f"{site.as_uri()}/"
    context = browser.new_context(offline=True, reduced_motion="reduce")
    page = context.new_page()
    where, wrong = "", seen.wrong
    page.on("console", lambda it: it.type in ("error", "warning") and wrong.append(
        f"{where}: console {it.type}: {it.text}"))  # fmt: skip
    page.on("pageerror", lambda error: wrong.append(f"{where}: script: {error}"))
    page.on("requestfailed", lambda it: wrong.append(f"{where}: not loaded: {it.url[:200]}"))
    page.on("request", lambda it: it.url.startswith((base, "data:")) or wrong.append(
        f"{where}: asks outside: {it.url[:200]}"))  # fmt: skip
    todo, ids = [f"{base}index.html", f"{base}search.html"], dict[str, set[str]]()
    while todo:
        address = todo.pop(0)
        if address in ids:
            continue
        where = unquote(address.removeprefix(base))
        parts = _look(page, address, where, seen)
        ids[address] = set(parts["ids"])
        for link in parts["links"]:
            if link.startswith(base):
                seen.links.add(link)
                target = urldefrag(link).url
                if target.endswith(".html") and _file(target).exists():
                    todo.append(target)
            elif urlsplit(link).scheme in ("http", "https", "mailto"):
                seen.outside.add(link)
            else:
                wrong.append(f"{where}: link {link}")
    for link in sorted(seen.links):
        target, anchor = urldefrag(link)
        if not _file(target).is_file():
            wrong.append(f"link to no file: {link.removeprefix(base)}")
        elif anchor and target in ids and unquote(anchor) not in ids[target]:
            wrong.append(f"link to no such place: {link.removeprefix(base)}")
    never = {path.as_uri() for path in site.rglob("*.html")} - set(ids)
    wrong += [f"no link leads to {address.removeprefix(base)}" for address in sorted(never)]
    context.close()
    return seen


def _file(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _look(page: Any, address: str, where: str, seen: Seen) -> dict[str, Any]:
    """Open a page and note what is wrong with its parts, its width and its contrast."""
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="light")
    page.goto(address)
    parts: dict[str, Any] = page.evaluate(PARTS)
    seen.pages += 1
    seen.images += len(parts["images"])
    seen.formulas += parts["formulas"]
    wrong = [f"image missing: {src}" for src, width, _ in parts["images"] if not width]
    wrong += [f"image without alt: {src}" for src, _, alt in parts["images"] if not alt.strip()]
    wrong += [f"formula as typed: {text}" for text in parts["typed"]]
    wrong += [f"control without a name: {html}" for html in parts["unnamed"]]
    wrong += [f"id twice: {name}" for name, n in Counter(parts["ids"]).items() if n > 1]
    wrong += [f"{parts['noise']} messages of errors"] * bool(parts["noise"])
    for text in parts["outputs"]:
        wrong += [f"path of a machine: {path}" for path in MACHINE.findall(text)]
    levels = parts["levels"]
    in_order = levels.count(1) == 1 and all(b <= a + 1 for a, b in pairwise([0, *levels]))
    if not in_order and where != "search.html":  # it has one when something is found
        wrong.append(f"headings out of order: {levels}")
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate(LOOK)
            if scheme == "light":
                seen.texts += found["texts"] * (size is DESK)
                if found["scroll"] > 0:
                    said = ", ".join(found["wide"])
                    wrong.append(f"{found['scroll']} px too wide at {size['width']}: {said}")
            wrong += [f"{scheme}, at {size['width']}: contrast {it}" for it in found["pale"]]
    seen.wrong += [f"{where}: {it}" for it in wrong]
    return parts


def main() -> int:
    """Crawl a whole site; exit code 1 where anything is wrong."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/site")
    if not (folder / "index.html").exists():
        print(f"error: no index.html in {folder}: `make site` makes it.", file=sys.stderr)
        return 2
    try:
        with launched() as browser:
            seen = crawl(browser, folder)
    except NoChromiumError as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 2
    print(seen)
    return int(bool(seen.wrong))


if __name__ == "__main__":
    sys.exit(main())
