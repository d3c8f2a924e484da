"""What cjcls shows: the sites of this node, whether they run here, and under a cjcpw or not (manual 2.5.3)."""

from jcq.cluster import links, record
from jcq.cluster.record import CJCPW, NQSDAEMON

HEADER = ("SITE-NAME", "DAEMON-PID", "DB-PATH(LINK)", "CJCPW")


def rows(root, with_local=False):
    """One row per site: (name, pid or `SHUT`, path and link, `ON` or `OFF`).

    The pid is that of nqsdaemon, from when the site is up on this node.

    Args:
        root: see `jcq.site.root_directory`.
        with_local: also the local site, which comes first.
    Raises:
        NotPermitted: the caller is neither root nor who made one of the sites.
    """
    sites = links.known_sites(root)
    local = links.known_local(root) if with_local else None
    return [_row(known, root) for known in ([local] if local else []) + sites]


def table(root, with_local=False):
    """The text of cjcls. Scripts take the name up to its blank and the second field (manual 6.2)."""
    lines = [HEADER, *rows(root, with_local)]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "".join(
        "  ".join([*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[3]]) + "\n"
        for line in lines
    )


def _row(known, root):
    daemons = record.read(known.site)
    alive = daemons.alive(root)
    pid = alive.get(NQSDAEMON) if daemons.up else None
    place = f"{known.database_path} ({known.link or known.site.directory})"
    return known.name, str(pid or "SHUT"), place, "ON" if CJCPW in alive else "OFF"
