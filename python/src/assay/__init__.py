"""Runs, signals and jobs of an Assay server or home folder.

    import assay
    run = assay.connect().run("8cd94f758363")      # or assay.open_home().run(…), without a server
    curve = run.equity()
"""

from assay.errors import AssayError, NotFound
from assay.home import Home, open_home
from assay.run import Run


__all__ = ["AssayError", "Home", "NotFound", "Run", "open_home"]
