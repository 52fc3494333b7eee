"""`python -m tests.site [FOLDER]`: crawl a whole site; exit code 1 where anything is wrong."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest's settings do

from chromium import NoChromiumError, launched

from tests.site.crawl import crawl


def main() -> int:
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
