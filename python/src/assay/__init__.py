"""Runs, signals and jobs of an Assay server or home folder.

    import assay
    run = assay.connect().run("8cd94f758363")      # or assay.open_home().run(…), without a server
    curve = run.equity()
"""

from assay.errors import AssayError, NotFound, Refused
from assay.home import Home, open_home
from assay.run import Run
from assay.server import Job, Server, connect

__all__ = ["AssayError", "Home", "Job", "NotFound", "Refused", "Run", "Server", "connect", "open_home"]
