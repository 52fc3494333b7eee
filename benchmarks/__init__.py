"""Speed, memory and growth of the package, each beside a plain reference in the same run."""
