"""`python -m tests.hostile`: all cases made by hand and many drawn ones, with a report."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.hostile.runner import report, run_cases
from tests.hostile.worker import cases, draw
from tests.hostile.world import build


def main() -> int:
    """Run the cases; 1 where one ended otherwise than in success or a complaint of the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="drawn ones (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first one (0)")
    parser.add_argument("--only", action="append", help="one case: a seed, or '<entry>: <case>'")
    parser.add_argument("--entry", help="cases of this entry alone")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="folder of the report")
    options = parser.parse_args()
    chosen = [int(one) if one.isdecimal() else one for one in options.only or ()]
    if not chosen:
        drawn = list(range(options.seed, options.seed + options.cases))
        chosen = [*cases(), *drawn]
    if options.entry:
        of = [c.partition(": ")[0] if isinstance(c, str) else draw(c)[0] for c in chosen]
        chosen = [c for c, name in zip(chosen, of, strict=True) if name == options.entry]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rstan-fuzz-") as folder:
        world = Path(folder) / "world"
        world.mkdir()
        build(world)
        print(f"{len(chosen)} cases, after {time.monotonic() - began:.0f} s", flush=True)
        answers = []
        for answer in run_cases(world, chosen):
            answers.append(answer)
            if answer["finding"]:
                print(f"{answer['case']!r}: {answer['kind']}: {answer['finding']}", flush=True)
            if len(answers) % 100 == 0:
                print(f"{len(answers)} done", flush=True)
    text = report(answers, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.md").write_text(text, encoding="utf-8")
    (options.out / "answers.json").write_text(json.dumps(answers, indent=1), encoding="utf-8")
    print(text)
    print(f"{time.monotonic() - began:.0f} s; written: {options.out / 'report.md'}")
    return int(any(answer["finding"] for answer in answers))


if __name__ == "__main__":
    sys.exit(main())
