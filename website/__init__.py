"""The static site: executed notebooks, equations, reference and ledger, by `python -m website`.

It is called `website` because Python itself has a module `site`. Nothing here is part of the
package.
"""
