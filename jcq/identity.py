"""Who a site is: the small text file `database/site` that cjcmksite writes once and everyone checks."""

import os
from dataclasses import dataclass

from jcq.durable import write_durably
from jcq.errors import DatabaseUnusable


@dataclass(frozen=True)
class SiteIdentity:
    """What cjcmksite was told, and by whom."""

    #: Name as given to cjcmksite; request ids and cjcls show it.
    name: str
    #: 1 to 2147483647.
    machine_id: int
    #: IPv4 or IPv6 address; empty for the local site.
    address: str
    #: The uid that made the site: beside root, the only one that may start it.
    uid: int
    #: The login name of that uid, its first manager.
    manager: str

    def write(self, site):
        """Write `database/site`, durably."""
        text = "".join(f"{key}={value}\n" for key, value in vars(self).items())
        write_durably(site.path("database", "site"), text.encode(), 0o644)


def read_identity(site):
    """Read `database/site`.

    Raises:
        DatabaseUnusable: it is missing or damaged, which failing over does not mend.
        PermissionError: the caller may not look into the database.
    """
    path = os.path.join(site.database, "site")
    try:
        with open(path, encoding="utf-8") as file:
            found = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
        return SiteIdentity(
            name=found["name"],
            machine_id=int(found["machine_id"]),
            address=found["address"],
            uid=int(found["uid"]),
            manager=found["manager"],
        )
    except FileNotFoundError:
        raise DatabaseUnusable(site=site.name or site.directory, reason=f"{path} is missing") from None
    except (KeyError, ValueError) as error:
        raise DatabaseUnusable(site=site.name or site.directory, reason=f"{path} is damaged ({error})") from error
