"""Where the commented configuration files are: inside the installed package, or `conf/` of a checkout."""

import os


def conf_path(*parts):
    """The path of a file that ships with jcq below `conf/`, for instance `conf_path("daemon.conf")`.

    Args:
        parts: path below `conf/`.
    Returns:
        An absolute path: `jcq/conf/...` where a wheel was installed, `conf/...` beside the package in a
        checkout or an editable install.
    Raises:
        FileNotFoundError: neither has it; the installation is damaged.
    """
    package = os.path.dirname(os.path.abspath(__file__))
    for base in (os.path.join(package, "conf"), os.path.join(os.path.dirname(package), "conf")):
        path = os.path.join(base, *parts)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(os.path.join(package, "conf", *parts))
