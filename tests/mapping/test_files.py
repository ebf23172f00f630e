"""A folder of mapping files: their names, their bytes, and a folder that is not what it should be."""

import pytest

from bridge.errors import SettingError
from bridge.mapping import files
from tests.mapping.making import NOW, SECRETS

TEXT = """\
sender: stripe
secrets: ["${SECRET}"]
rules:
  - {name: r, entity: customer, id: id, fields: {tier: tier}}
"""


def load(folder):
    return files.load(folder, SECRETS.get)


def told(mappings):
    return [str(problem) for problem in mappings.problems]


@pytest.mark.parametrize("name", ["crm", "crm-2", "2_crm", "a", "x" * 63])
@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_the_file_name_is_the_source_name(tmp_path, name, suffix):
    (tmp_path / f"{name}{suffix}").write_text(TEXT)
    mappings = load(tmp_path)
    assert told(mappings) == []
    assert list(mappings.sources) == [name]
    assert mappings.sources[name].name == name
    assert mappings.sources[name].path == str(tmp_path / f"{name}{suffix}")


@pytest.mark.parametrize(
    "name", ["CRM", "my crm", "crm.old", "-crm", "_crm", "größe", "x" * 64, "a%2Fb", "a?b", "a\nb"]
)
def test_a_name_that_is_no_part_of_a_url_is_refused(tmp_path, name):
    (tmp_path / f"{name}.yaml").write_text(TEXT)
    mappings = load(tmp_path)
    assert not mappings.sources
    (problem,) = mappings.errors
    assert (problem.line, problem.column) == (1, 1)
    assert "a-z, 0-9, - and _ are accepted" in problem.message


@pytest.mark.parametrize("name", ["README.md", "crm.yaml.bak", ".crm.yaml", "crm.json", "crm", "..data"])
def test_other_files_are_left_alone(tmp_path, name):
    (tmp_path / "stripe.yaml").write_text(TEXT)
    (tmp_path / name).write_text("not: [a mapping")
    mappings = load(tmp_path)
    assert told(mappings) == []
    assert list(mappings.sources) == ["stripe"]


def test_two_files_of_one_name_are_refused_and_the_first_stays(tmp_path):
    (tmp_path / "crm.yaml").write_text(TEXT)
    (tmp_path / "crm.yml").write_text(TEXT)
    mappings = load(tmp_path)
    assert told(mappings) == [f"{tmp_path}/crm.yml:1:1: another file has the name crm too: {tmp_path}/crm.yaml"]
    assert mappings.sources["crm"].path == str(tmp_path / "crm.yaml")


def test_a_missing_folder_is_told_with_the_setting_that_names_it(tmp_path):
    mappings = load(tmp_path / "nowhere")
    assert told(mappings) == [
        f"{tmp_path}/nowhere:1:1: No such file or directory: set BRIDGE_MAPPINGS to the folder of mapping files"
    ]
    assert mappings.errors
    assert not mappings.sources


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "crm.yaml").write_text(TEXT)
    assert "Not a directory: set BRIDGE_MAPPINGS" in told(load(tmp_path / "crm.yaml"))[0]


def test_an_empty_folder_is_told(tmp_path):
    assert told(load(tmp_path)) == [f"{tmp_path}:1:1: no mapping file here: add one such as stripe.yaml"]


UNREADABLE = [
    ("Latin-1", b"# M\xfcller\n" + TEXT.encode()),
    ("half a character", TEXT.encode() + b"# \xe2\x82"),
    ("UTF-16", TEXT.encode("utf-16")),
    ("a surrogate", TEXT.encode() + b"# \xed\xa0\x80"),
]


@pytest.mark.parametrize("content", [row[1] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_bytes_that_are_no_utf8_are_refused(tmp_path, content):
    (tmp_path / "crm.yaml").write_bytes(content)
    assert told(load(tmp_path)) == [f"{tmp_path}/crm.yaml:1:1: cannot be read as UTF-8 text: UnicodeDecodeError"]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path):
    (tmp_path / "crm.yaml").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    (tmp_path / "plain.yaml").write_text(TEXT)
    mappings = load(tmp_path)
    assert told(mappings) == []
    assert mappings.sources["crm"].rules == mappings.sources["plain"].rules


def test_after_a_byte_order_mark_and_windows_line_ends_places_are_the_same(tmp_path):
    (tmp_path / "crm.yaml").write_bytes(b"\xef\xbb\xbfsendr: stripe\r\n" + TEXT.replace("\n", "\r\n").encode())
    assert told(load(tmp_path))[0].startswith(f"{tmp_path}/crm.yaml:1:1: no key 'sendr': did you mean 'sender'?")


def test_what_cannot_be_opened_is_refused_and_the_other_files_work(tmp_path):
    (tmp_path / "crm.yaml").mkdir()
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "stripe.yaml").write_text(TEXT)
    mappings = load(tmp_path)
    assert [problem.split(":1:1: ")[1] for problem in told(mappings)] == [
        "cannot be read as UTF-8 text: Is a directory",
        "cannot be read as UTF-8 text: No such file or directory",
    ]
    assert list(mappings.sources) == ["stripe"]


def test_a_file_with_mistakes_leaves_the_others_and_every_file_is_told(tmp_path):
    (tmp_path / "a.yaml").write_text(TEXT.replace("customer", "custmer"))
    (tmp_path / "b.yaml").write_text(TEXT)
    (tmp_path / "c.yaml").write_text("")
    mappings = load(tmp_path)
    assert list(mappings.sources) == ["b"]
    assert [problem.path for problem in mappings.problems] == [f"{tmp_path}/a.yaml", f"{tmp_path}/c.yaml"]


def test_files_behind_links_are_read_as_configmaps_mount_them(tmp_path):
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "crm.yaml").write_text(TEXT)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "crm.yaml").symlink_to("..data/crm.yaml")
    assert list(load(tmp_path).sources) == ["crm"]


def test_a_source_knows_its_secrets_and_which_are_not_set(tmp_path):
    (tmp_path / "crm.yaml").write_text(TEXT.replace('"${SECRET}"', '"${NEXT}", "${SECRET}", "x-${SECRET}-${OLD_FILE}"'))
    source = load(tmp_path).sources["crm"]
    assert source.secrets == (SECRETS["SECRET"],)
    assert source.unset == ("NEXT", "OLD_FILE")
    assert SECRETS["SECRET"] not in repr(source)


def test_a_secret_may_be_named_by_its_file_sibling(tmp_path):
    (tmp_path / "crm.yaml").write_text(TEXT.replace("${SECRET}", "${SECRET_FILE}"))
    assert load(tmp_path).sources["crm"].secrets == (SECRETS["SECRET"],)


def test_a_secret_that_cannot_be_read_is_an_error_at_its_place(tmp_path):
    def environ(name):
        raise SettingError(f"{name}_FILE: cannot read /run/secrets/none: FileNotFoundError")

    (tmp_path / "crm.yaml").write_text(TEXT)
    (problem,) = files.load(tmp_path, environ).errors
    assert str(problem) == f"{tmp_path}/crm.yaml:2:11: SECRET_FILE: cannot read /run/secrets/none: FileNotFoundError"


def test_the_digest_tells_texts_apart_and_nothing_else(tmp_path):
    for name, text in {"a": TEXT, "b": TEXT, "c": TEXT + "# later\n"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    digests = {name: source.digest for name, source in load(tmp_path).sources.items()}
    assert digests["a"] == digests["b"] != digests["c"]


def test_check_adds_what_examples_find_to_what_lint_found(tmp_path):
    example = "examples:\n  - {name: none, event: {id: e, type: t, created: 1}, expect: []}\n"
    (tmp_path / "a.yaml").write_text(TEXT.replace("SECRET", "NEXT"))
    (tmp_path / "b.yaml").write_text(TEXT + example)
    problems = files.check(load(tmp_path), NOW)
    assert [(problem.path[-6:], problem.line, problem.column, problem.level) for problem in problems] == [
        ("a.yaml", 2, 11, "note"),
        ("a.yaml", 3, 1, "note"),
        ("b.yaml", 4, 56, "warning"),
        ("b.yaml", 6, 12, "error"),
    ]
