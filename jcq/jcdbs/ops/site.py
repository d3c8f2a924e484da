"""The site's own values, and its managers."""

from dataclasses import dataclass
from itertools import chain

from jcq.jcdbs import keys, scripts
from jcq.jcdbs.errors import RecordDamaged
from jcq.jcdbs.ops.maker import Maker, flat, text
from jcq.jcdbs.sending import Op
from jcq.model.request import PRIORITY_DEFAULT


@dataclass(frozen=True)
class SiteRecord:
    """The site's own values; what is not set is empty or 0."""

    name: str
    machine_id: int
    schema: int
    seq: int
    dispatch: int = 0
    default_queue: str = ""
    default_priority: int = PRIORITY_DEFAULT
    run_limit: int = 0
    retry_wait_s: int = scripts.RETRY_WAIT_S
    #: Who sends the site's mail; empty: nqs.
    mail_account: str = ""
    retry_time_s: int = scripts.RETRY_TIME_S
    #: FREE, LOGIN, or the path of the shell that runs every script (FIXED).
    shell_strategy: str = "FREE"
    retention_s: int = 0
    #: Pipe queues give a request up when its retries have lasted as long as the shorter of retry time and lifetime.
    lifetime_s: int = scripts.LIFETIME_S


_SITE_FIELDS = frozenset(SiteRecord.__annotations__)


class SiteOps(Maker):
    """Ops of the site itself."""

    def create_site(self, identity):
        """Give an empty database its schema and identity."""
        fields = {"name": identity.name, "machine_id": identity.machine_id}
        return self._change("create_site", 0.0, (keys.SCHEMA_VERSION, *flat(fields)), repeatable=False)

    def open_epoch(self):
        """Begin a run: see open_epoch.lua. Raises StaleEpoch where this epoch is not newer, SchemaNewer."""
        return self._change("open_epoch", 0.0, (keys.SCHEMA_VERSION,), repeatable=False)

    def site(self):
        """-> `SiteRecord`."""

        def decode(answers):
            try:
                found = {key.decode(): value.decode() for key, value in answers[0].items()}
                values = {name: SiteRecord.__annotations__[name](found[name]) for name in found if name in _SITE_FIELDS}
                return SiteRecord(**values)
            except (TypeError, ValueError):
                raise RecordDamaged(detail="the site itself") from None

        return Op("site", (("HGETALL", keys.SITE),), decode)

    def managers(self):
        """-> {login name: "m" for a manager, "o" for an operator}."""

        def decode(answers):
            return {text(key): text(value) for key, value in answers[0].items()}

        return Op("managers", (("HGETALL", keys.MANAGERS),), decode)

    def set_manager(self, name, role):
        """Make `name` manager ("m") or operator ("o"), or take that away (""). Raises BadValue where it was none."""
        return self._change("set_manager", 0.0, (name, role), repeatable=False)

    def edit_managers(self, mode, pairs):
        """Change several managers and operators, all or none.

        Args:
            mode: "add", "delete" or "set", which replaces them all.
            pairs: [(login name, "m" or "o")].
        Raises (when run): NoSuchManager where one to be deleted has not that role.
        """
        flat = tuple(chain.from_iterable(pairs))
        return self._change("edit_managers", 0.0, (mode, *flat), repeatable=mode == "set")

    def set_param(self, name, value, now_s):
        """Set a field of `SiteRecord`, default_queue to lifetime_s; "" unsets it. Raises NoSuchQueue."""
        return self._change("set_param", now_s, (name, str(value)))
