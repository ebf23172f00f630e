"""Mapping files change while they are in use: what is taken up, what stays, and what is said about it."""

import os
from functools import partial

import pytest

from bridge import settings
from bridge.mapping.live import Folder, Live, News, What
from tests.mapping.making import NOW, SECRETS

TEXT = """\
sender: stripe
secrets: ["${SECRET}"]
rules:
  - {name: r, entity: customer, id: id, fields: {tier: tier}}
"""
OTHER = TEXT.replace("tier: tier", "tier: other")
GRACE = 300


class Running:
    """What a process does about its folder, one look at a time."""

    def __init__(self, path):
        self.path = path
        self.environ = dict(SECRETS)
        self.folder = Folder(path, self.environ.get)
        self.live = Live(self.folder.load())
        self.now = NOW

    def look(self, *, at_once=False):
        told = self.live.expire(self.now)
        loaded = self.folder.news(at_once=at_once)
        return told + (self.live.take(loaded, self.now, GRACE) if loaded else [])

    def settle(self):
        """Two looks: what the second one says."""
        assert self.look() == []
        return self.look()

    def path_of(self, source="crm"):
        return str(self.live.sources[source].rules[0].fields[0].path.text)


@pytest.fixture
def running(tmp_path):
    (tmp_path / "crm.yaml").write_text(TEXT)
    return Running(tmp_path)


def whats(told):
    return [(one.what, one.source) for one in told]


def test_nothing_is_said_while_nothing_changes(running):
    before = running.live.mappings
    (running.path / "crm.yaml").touch()
    (running.path / "README.md").write_text("not one of ours")
    assert running.look() == running.look() == []
    assert running.live.mappings is before


def test_a_changed_file_is_taken_up_once_two_looks_have_seen_the_same(running):
    digest = running.live.sources["crm"].digest
    (running.path / "crm.yaml").write_text(OTHER)
    assert running.look() == []
    assert running.path_of() == "tier"
    (told,) = running.look()
    assert (told.what, told.source) == (What.CHANGED, "crm")
    assert told.digest == running.live.sources["crm"].digest != digest
    assert running.path_of() == "other"
    assert running.look() == []


def test_when_asked_the_first_look_is_enough(running):
    (running.path / "crm.yaml").write_text(OTHER)
    assert whats(running.look(at_once=True)) == [(What.CHANGED, "crm")]


def test_a_file_that_is_being_written_is_left_alone(running):
    """Half of a file may be a mapping too: one with fewer rules."""
    (running.path / "crm.yaml").write_text(OTHER[:-1])
    assert running.look() == []
    (running.path / "crm.yaml").write_text(OTHER)
    assert running.look() == []
    assert running.path_of() == "tier"
    assert whats(running.look()) == [(What.CHANGED, "crm")]


def test_what_changes_while_it_is_read_is_not_taken_up(tmp_path):
    (tmp_path / "crm.yaml").write_text(TEXT)
    writes = iter([OTHER, OTHER + "# more\n"])
    prints = iter(["first", "second", "second", "third"])
    running = Running(tmp_path)
    running.folder = Folder(tmp_path, SECRETS.get, read=lambda _path: next(prints))
    running.folder.load()
    (tmp_path / "crm.yaml").write_text(next(writes))
    assert running.look() == []
    assert running.look() == []
    assert running.path_of() == "tier"


@pytest.mark.parametrize("text", ["", "sender: [", TEXT.replace("customer", "custmer"), "\x00", "a: b"])
def test_a_file_that_is_wrong_leaves_the_last_good_one_in_use(running, text):
    before = running.live.sources["crm"]
    (running.path / "crm.yaml").write_text(text)
    (running.path / "erp.yaml").write_text(TEXT)
    added, refused = running.settle()
    assert (added.what, added.source) == (What.ADDED, "erp")
    assert (refused.what, refused.source, refused.digest) == (What.REFUSED, "crm", before.digest)
    assert refused.problems
    assert all(one.startswith(f"{running.path}/crm.yaml:") for one in refused.problems)
    assert running.live.sources["crm"] is before
    assert running.look() == []
    assert list(running.live.mappings.refused) == ["crm"]
    (running.path / "crm.yaml").write_text(OTHER)
    assert whats(running.settle()) == [(What.CHANGED, "crm")]
    assert not running.live.mappings.refused


def test_a_new_file_that_is_wrong_makes_no_source(running):
    (running.path / "erp.yaml").write_text("sender: [")
    (told,) = running.settle()
    assert (told.what, told.source, told.digest) == (What.REFUSED, "erp", None)
    assert "erp" not in running.live.sources


def test_a_removed_file_stops_its_source_only_after_a_grace_period(running):
    (running.path / "erp.yaml").write_text(TEXT)
    running.settle()
    (running.path / "erp.yaml").unlink()
    digest = running.live.sources["erp"].digest
    assert running.settle() == [News(What.LEAVING, "erp", digest, until=NOW + GRACE)]
    running.now = NOW + GRACE - 1
    (running.path / "crm.yaml").write_text(OTHER)
    assert whats(running.settle()) == [(What.CHANGED, "crm")]
    assert "erp" in running.live.sources
    running.now = NOW + GRACE
    assert running.look() == [News(What.STOPPED, "erp")]
    assert list(running.live.sources) == ["crm"]


def test_a_file_that_comes_back_in_time_stops_nothing(running):
    (running.path / "erp.yaml").write_text(TEXT)
    running.settle()
    (running.path / "erp.yaml").unlink()
    running.settle()
    (running.path / "erp.yaml").write_text(TEXT)
    assert whats(running.settle()) == [(What.CHANGED, "erp")]
    running.now = NOW + 2 * GRACE
    assert running.look() == []
    assert "erp" in running.live.sources


def test_a_folder_without_any_file_stops_nothing(running):
    """A volume that is not there is more likely than nobody wanting any source."""
    (running.path / "crm.yaml").unlink()
    assert whats(running.settle()) == [(What.REFUSED, running.path.name)]
    running.now = NOW + 10 * GRACE
    assert running.look() == []
    assert "crm" in running.live.sources


def test_a_folder_that_is_gone_is_said_and_stops_nothing(running):
    (running.path / "crm.yaml").unlink()
    running.path.rmdir()
    with pytest.raises(OSError, match="No such file"):
        running.look()
    assert "crm" in running.live.sources


def test_a_config_map_that_is_swapped_is_taken_up_whole(tmp_path):
    """Files are links through `..data`, which is swapped: https://kubernetes.io/docs/concepts/configuration/configmap/"""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for version, text in (("..1", TEXT), ("..2", OTHER)):
        (mounted / version).mkdir()
        for name in ("crm.yaml", "erp.yaml"):
            (mounted / version / name).write_text(text)
    (mounted / "..data").symlink_to("..1")
    for name in ("crm.yaml", "erp.yaml"):
        (mounted / name).symlink_to(f"..data/{name}")
    running = Running(mounted)
    (mounted / "..data_tmp").symlink_to("..2")
    (mounted / "..data_tmp").rename(mounted / "..data")
    assert whats(running.settle()) == [(What.CHANGED, "crm"), (What.CHANGED, "erp")]
    assert running.path_of("crm") == running.path_of("erp") == "other"


def test_an_editor_that_renames_stops_nothing(running):
    """vim moves the old file away, writes a new one and removes the old: a look may come at any moment."""
    file, backup = running.path / "crm.yaml", running.path / "crm.yaml~"
    (running.path / "erp.yaml").write_text(TEXT)
    running.settle()
    file.rename(backup)
    assert running.look() == []
    file.write_text(OTHER)
    assert running.look() == []
    backup.unlink()
    assert whats(running.look()) == [(What.CHANGED, "crm")]


def test_content_of_the_same_size_and_time_is_noticed(running):
    file = running.path / "crm.yaml"
    was = file.stat()
    file.write_text(TEXT.replace("tier: tier", "tier: size"))
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert file.stat().st_size == was.st_size
    assert whats(running.settle()) == [(What.CHANGED, "crm")]


def test_a_table_beside_the_mapping_counts_too(running):
    (running.path / "customers.csv").write_text("a,b\n")
    assert running.folder.news() is None
    assert running.folder.news() is not None


def test_a_secret_that_is_rotated_in_its_file_is_taken_up(running):
    running.environ["SECRET"] = "whsec_" + "another" * 4
    assert whats(running.settle()) == [(What.CHANGED, "crm")]
    assert running.live.sources["crm"].secrets == (running.environ["SECRET"],)


def test_whoever_took_the_mappings_goes_on_with_them(running):
    taken = running.live.mappings
    (running.path / "crm.yaml").write_text(OTHER)
    running.settle()
    assert str(taken.sources["crm"].rules[0].fields[0].path.text) == "tier"


def test_the_digest_of_all_changes_with_any_of_them(running):
    digests = {running.live.mappings.digest}
    (running.path / "crm.yaml").write_text(OTHER)
    running.settle()
    digests.add(running.live.mappings.digest)
    (running.path / "erp.yaml").write_text(TEXT)
    running.settle()
    digests.add(running.live.mappings.digest)
    assert len(digests) == 3
    assert Live(Folder(running.path, SECRETS.get).load()).mappings.digest == running.live.mappings.digest


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_secret_file_that_is_missing_or_empty_for_a_moment_stops_nothing(tmp_path, content):
    folder, secret = tmp_path / "mappings", tmp_path / "secret"
    folder.mkdir()
    (folder / "crm.yaml").write_text(TEXT)
    secret.write_text(SECRETS["SECRET"])
    running = Running(folder)
    running.folder = Folder(folder, partial(settings.read, {"SECRET_FILE": str(secret)}))
    running.live = Live(running.folder.load())
    secret.unlink()
    if content is not None:
        secret.write_text(content)
    assert whats(running.settle()) == [(What.REFUSED, "crm")]
    assert running.live.sources["crm"].secrets == (SECRETS["SECRET"],)
    assert not running.live.mappings.closed
    secret.write_text("whsec_" + "another" * 4)
    assert whats(running.settle()) == [(What.CHANGED, "crm")]
    assert running.live.sources["crm"].secrets == ("whsec_" + "another" * 4,)
