"""`python -m tests.hostile`: all cases made by hand and many drawn ones, with a report."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.hostile.entries import build
from tests.hostile.worker import cases, report, run_cases


def main() -> int:
    """Run the cases; 1 where one ended otherwise than in success or a complaint of the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="drawn ones (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first one (0)")
    parser.add_argument("--only", action="append", help="one case: a seed, or '<entry>: <case>'")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="folder of the report")
    options = parser.parse_args()
    chosen = [int(one) if one.isdecimal() else one for one in options.only or ()]
    if not chosen:
        chosen = [*cases(), *range(options.seed, options.seed + options.cases)]
    answers = []
    with tempfile.TemporaryDirectory(prefix="rstan-fuzz-") as folder:
        world = Path(folder) / "world"
        world.mkdir()
        build(world)
        for answer in run_cases(world, chosen):
            answers.append(answer)
            if answer["finding"] or len(answers) % 100 == 0:
                print(f"{len(answers)} of {len(chosen)}: {answer['finding'] or 'ok'}", flush=True)
    text = report(answers, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any(answer["finding"] for answer in answers))


if __name__ == "__main__":
    sys.exit(main())
