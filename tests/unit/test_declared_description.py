"""A description of a spool is checked as a whole: one clear line for each mistake, never anything else."""

import copy
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jcq.spoolconv.errors import WrongLayout
from jcq.spoolconv.readers.declared import description
from support.declared_spool import example

EXAMPLE = tomllib.loads(example())


def mistakes(text):
    """The lines about a description."""
    with pytest.raises(WrongLayout) as caught:
        description.parse(text if isinstance(text, bytes) else text.encode(), "my.toml")
    return str(caught.value).split("\n")


def test_the_example_has_no_mistake():
    found = description.parse(example().encode())
    assert found.name == "an invented system, 32 bits, big-endian"
    assert [one.path.text for one in found.files] == [
        "database/queues",
        "database/managers",
        "database/seqno",
        "control/{sub}/{seq}{mid}",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("format = 1", "format = 2", "format: this jcq does not know it; write 1, or install the jcq that it is for"),
        ("format = 1", "", "format: it is missing; add format = with a whole number"),
        ('byte_order = "big"', 'byte_order = "bigg"',
         "byte_order: 'bigg' is not known; write one of big, little, perhaps big"),
        ("long_bits = 32", "long_bits = 33",
         "long_bits: it is neither 32 nor 64; write the bits of C's long on the old machine"),
        ("long_bits = 32", "long_bits = true", "long_bits: True is not a whole number; write a whole number"),
        ("size = 392", "size = 390",
         "structures.header.fields.waits_for: it ends at byte 392, and header has 390; correct the offset or the size"),
        ('uid = { offset = 16, type = "uid_t" }', 'uid = { offset = 16, type = "uid" }',
         "structures.header.fields.uid.type: 'uid' is not known; write one of "),
        ('uid = { offset = 16, type = "uid_t" }', 'uid = { offset = 17, type = "uid_t" }',
         "structures.header.fields.gid: it begins at byte 20, and uid ends at 21; correct an offset, a length or "
         "long_bits; overlaps = true is for members of a union"),
        ('user = { offset = 22, type = "string", length = 12 }', 'user = { offset = 22, type = "string" }',
         "structures.header.fields.user.length: it is missing; add length = with a whole number"),
        ("expect = { magic = 0x4e515332 }", "expect = { magik = 1 }",
         "structures.header.expect.magik: it is no field of this structure that holds one number; name one"),
        ('state = { field = "status", enumeration = "status" }', 'state = { field = "status", enumeration = "states" }',
         "files[3].holds[0].map.state.enumeration: there is no enumeration 'states'; define it or name another, "
         "perhaps status"),
        ('state = { field = "status", enumeration = "status" }', 'state = "status"',
         "files[3].holds[0].map.state: it needs one of QUEUED, WAITING, HELD, RUNNING; map it to another field, or "
         "give it an enumeration"),
        ('uid = "uid"', 'uid = "uuid"',
         "files[3].holds[0].map.uid.field: there is no field or part 'uuid'; name one that is defined, perhaps uid"),
        ('uid = "uid"', 'uid = "user"',
         "files[3].holds[0].map.uid: it needs a number; map it to another field, or give it an enumeration"),
        ('workdir = "workdir"', 'workdir = "waits_for"',
         "files[3].holds[0].map.workdir: it needs one value, and the field is an array; name one element, FIELD[0]"),
        ('workdir = "workdir"', 'workdirectory = "workdir"',
         "files[3].holds[0].map.workdirectory: a request has no such field; write one of old_id, queue, "),
        ('old_id = { text = "{seqno}.{host}" }', "",
         "files[3].holds[0].map.old_id: it is missing; every request needs it"),
        ('user = "user"\nuid = "uid"\n', "",
         "files[3].holds[0].map.user: it is missing, and so is uid; a request needs its owner"),
        ("limits.cpu_process]", "limits.cpu]",
         "files[3].holds[0].limits.cpu: there is no such limit; write one of core_process, "),
        ('script = { path = "data/{sub}/{seq}{mid}{file}", parts = { file = 0 } }', "",
         "files[3].holds[0].script: it is missing; say where the script's text lies: path, or start in this file"),
        ("parts = { file = 0 }", "parts = { file = 1000000 }",
         "files[3].holds[0].script.parts.file: such a value cannot be in a file name; write what the part can be"),
        ('path = "control/{sub}/{seq}{mid}"', 'path = "control/../{seq}{mid}"',
         "files[3].path: 'control/../{seq}{mid}' is no path in the spool; write up to 16 names with / between them"),
        ('path = "control/{sub}/{seq}{mid}"', 'path = "control/*{sub}/{seq}{mid}"',
         "files[3].path: '*{sub}' has two pieces of unknown length; give all parts in it but one their number of "
         "characters"),
        ('path = "control/{sub}/{seq}{mid}"', 'path = "control/{sub/{seq}{mid}"',
         "files[3].path: '{sub' has a brace too many; write {part} for a part of a name"),
        ('size_field = "size"\n', "",
         "files[0].size_field: it is missing; add size_field = with a text in quotes"),
        ('path = "database/seqno"', 'path = "database/seqno"\nblock_byte = 3',
         "files[2].block_byte: this key is not known; remove it, perhaps block_bytes"),
        ('user = "user"', 'user = "uid"', "files[3].holds[0].map.user: it needs a text; "),
        ('workdir = "workdir"', 'workdir = { value = "tmp" }',
         "files[3].holds[0].map.workdir: 'tmp' is not absolute; "),
        ('gid = "gid"', 'gid = { field = "gid", unit = 60 }',
         "files[3].holds[0].map.gid: unit cannot be said of it; remove it"),
        ('agree = { seq = "seqno"', 'agree = { seq = "user"',
         "files[3].holds[0].agree.seq: user is not a number; name a number"),
        ('state = { field = "status", enumeration = "status" }', "",
         "files[3].holds[0].map.state: it is missing; every request needs it"),
        ('structure = "header"', 'structure = "heater"',
         "files[3].structure: there is no structure 'heater'; define it or name another, perhaps header"),
        ("sub = { base = 10 }", "sub = { base = 11 }",
         "parts.sub.base: 11 is not known; write 8, 10 or 16, or an alphabet"),
        ('kind = "complex"', 'kind = "komplex"',
         "files[0].holds[1].kind: 'komplex' is not known; write one of request, queue, complex, setting, nothing, "
         "perhaps complex"),
        ('reason = "a device: jcq prints nothing"', "",
         "files[0].holds[2].reason: it is missing; add reason = with a text in quotes"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_line_with_what_to_do(old, new, line):
    assert old in example()
    found = mistakes(example().replace(old, new))
    assert any(one.startswith(f"my.toml: {line}") for one in found), found
    # What is built on the wrong one may be wrong too, and no more than that.
    assert len(found) <= 8


def test_all_mistakes_at_once_up_to_twenty():
    text = example().replace("type = ", "tipe = ")
    found = mistakes(text)
    assert len(found) == 21
    assert found[-1] == "(there are more)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", "my.toml: format: it is missing; add format = with a whole number"),
        (b"\xff", "my.toml: the file: it is no TOML: "),
        (b"a = [", "my.toml: the file: it is no TOML: "),
        (b"a = " + b"[" * 5000, "my.toml: the file: it is nested too deeply; correct it there"),
        (b"a = " + b"9" * 5000, "my.toml: the file: it is no TOML: "),
        (b"#" * 300_000, "my.toml: the file: it has more than 262144 bytes; this is no description"),
        (b'format = 1\n"a\\nb" = 1', "my.toml: a?b: this key is not known; remove it"),
        (b"format = 0x" + b"f" * 5000, "my.toml: format: this jcq does not know it; "),
        (b"long_bits = 0x" + b"f" * 5000, "my.toml: long_bits: a number of too many digits is not from 32 to 64; "),
    ],
)
def test_what_is_no_description(text, line):
    found = mistakes(text)
    assert any(one.startswith(line) for one in found), found


# --- whatever is written ---------------------------------------------------------------------

_WORDS = st.sampled_from(
    "field value text path kind map when none mask unit count offset type length end start structure free records "
    "fixed sized one request queue complex nothing string u16 long nul blank {seq} * {} } header @mtime waits_for[0] "
    "waits_for[9] status a/b .. / old_id".split()
)
_VALUES = st.recursive(
    st.one_of(
        _WORDS,
        st.text(max_size=8),
        st.integers(-(2**70), 2**70),
        st.integers(-2, 400),
        st.booleans(),
        st.floats(),
        st.dates(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def _paths(value, path=()):
    """Every place in a description."""
    yield path
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _paths(one, (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _paths(one, (*path, number))


_PLACES = [path for path in _paths(EXAMPLE) if path]


@st.composite
def _descriptions(draw):
    """The example with some places set to anything, left out, or set to what stands elsewhere."""
    table = copy.deepcopy(EXAMPLE)
    for path in draw(st.lists(st.sampled_from(_PLACES), min_size=1, max_size=4)):
        try:
            parent = table
            for key in path[:-1]:
                parent = parent[key]
            what = draw(st.sampled_from(["set", "leave out", "copy"]))
            if what == "set":
                parent[path[-1]] = draw(_VALUES)
            elif what == "copy":
                value = EXAMPLE
                for key in draw(st.sampled_from(_PLACES)):
                    value = value[key]
                parent[path[-1]] = copy.deepcopy(value)
            else:
                del parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            # An earlier change took the place away.
            continue
    return table


@settings(max_examples=120)
@given(_descriptions())
def test_any_description_is_accepted_or_refused_in_lines(monkeypatch_tomllib, table):
    with monkeypatch_tomllib(table):
        try:
            found = description.parse(b"")
        except WrongLayout as error:
            lines = str(error).split("\n")
            assert len(lines) <= 21
            for line in lines:
                assert line.isprintable()
                assert line == "(there are more)" or (line.startswith("jcq-layout.toml: ") and "; " in line)
                assert len(line) < 2000
        else:
            assert isinstance(found, description.Description)


@settings(max_examples=100)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_refused_in_lines(data):
    with pytest.raises(WrongLayout):
        description.parse(data)


@pytest.fixture(scope="module")
def monkeypatch_tomllib():
    """Has `parse` see a table as if tomllib had read it: Python writes no TOML."""

    def patched(table):
        context = pytest.MonkeyPatch.context()

        class Patched:
            def __enter__(self):
                context.__enter__().setattr(description.tomllib, "loads", lambda _: table)

            def __exit__(self, *failure):
                return context.__exit__(*failure)

        return Patched()

    return patched
