"""Which request a user means by `12`, `12.site` or `12.site@host` (nqs-facts.md section 2); and whose, by `-u`."""

from jcq.errors import UsageError
from jcq.jcdbs.errors import NoSuchRequest, NotOwner
from jcq.model.qmgr_values import LOGIN_CHARACTERS_MAX
from jcq.model.request import parse_request_id
from jcq.site import host_name, short_name


def find_rid(text, identity):
    """The rid of what a user typed.

    Args:
        text: the operand.
        identity: the `SiteIdentity`; a number alone, or with a name of this site, is a request of it.
    Returns:
        (`<machine id>-<sequence>`, or None where it names another site; the id as people see it).
    Raises:
        UsageError: it is no request id, or as `rid_of`.
    """
    return rid_of(parse_request_id(text), identity)


def rid_of(said, identity):
    """As `find_rid`, of a `jcq.model.request.RequestId`.

    Raises:
        UsageError: it is to be at another machine than this one, and jcq has no requests at others.
    """
    if said.host and not _is_here(said.host, identity):
        there = f"{said.seq}.{said.site}@{said.host}"
        raise UsageError(
            reason=f"{there!r} is at another machine, which jcq does not reach; give {said.seq}.{said.site}"
        )
    if said.site and not is_this_site(said.site, identity):
        return None, f"{said.seq}.{said.site}"
    return f"{identity.machine_id}-{said.seq}", f"{said.seq}.{identity.name}"


def _is_here(host, identity):
    """Whether `host` is this site, or the machine that it runs on now."""
    machine = host_name().lower()
    return is_this_site(host, identity) or host.lower() in ("localhost", machine, short_name(machine))


def own_request(text, call, desk):
    """The request that a user names and may look into: `request, shown = yield from own_request(...)`.

    Args:
        text: the operand.
        call, desk: as every handler has them.
    Returns (as a generator):
        (the `Request`, its id as people see it).
    Raises:
        UsageError: it is no request id. NoSuchRequest. NotOwner: it is another's, and the caller no operator.
    """
    rid, shown = find_rid(text, desk.identity)
    if rid is None:
        raise NoSuchRequest(detail=shown)
    try:
        request = yield desk.store.request(rid)
    except NoSuchRequest:
        raise NoSuchRequest(detail=shown) from None
    if request.uid != call.uid and not (yield from desk.may_operate(call)):
        raise NotOwner(detail=shown)
    return request, shown


def named_user(values):
    """The login name or uid of `-u`, None without it. It needs no account here: what an account left stays its own.

    Args:
        values: options, with `user` where it was given.
    Raises:
        UsageError: nobody can be called so.
    """
    user = values.get("user")
    if user is not None and (
        not 0 < len(user) <= LOGIN_CHARACTERS_MAX or not user.isprintable() or set(user) & set(" :,/")
    ):
        raise UsageError(reason=f"-u needs the login name or number of a user, not {user[:LOGIN_CHARACTERS_MAX]!r}")
    return user


def is_this_site(name, identity):
    """Whether `name` is this site: the name given to cjcmksite, its first label, the long form of it, or its address.

    The local site also answers to `localhost` and this machine's name.
    """
    name = name.lower()
    own = identity.name.lower()
    if name in (own, short_name(own), identity.address.lower()) or ("." not in own and short_name(name) == own):
        return True
    return not identity.address and name in ("localhost", host_name().lower())
