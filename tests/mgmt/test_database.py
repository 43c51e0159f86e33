"""Which databases are migrated without asking, and directories that cannot be written."""

import os
from pathlib import Path

import pytest

from mgmt.database import prepare_data_dir, verify_may_migrate
from mgmt.faults import Fault
from radiuscore.store.migrate import Kind, State


@pytest.mark.parametrize(
    ("kind", "embedded"),
    [(Kind.EMPTY, False), (Kind.EMPTY, True), (Kind.OLDER, True), (Kind.CURRENT, False), (Kind.CURRENT, True)],
)
def test_the_embedded_or_an_empty_database_is_migrated(kind: Kind, embedded: bool) -> None:
    verify_may_migrate(State(kind, 1, 2), "control", embedded=embedded)


def test_an_older_database_of_ones_own_waits_for_the_command() -> None:
    with pytest.raises(Fault, match=r"schema control is at version 1, and this release needs 2: .*radiuscore migrate$"):
        verify_may_migrate(State(Kind.OLDER, 1, 2), "control", embedded=False)


@pytest.mark.parametrize("embedded", [True, False])
def test_a_newer_database_is_never_touched(embedded: bool) -> None:
    with pytest.raises(Fault, match="is at version 3, newer than this release's 2: install the release"):
        verify_may_migrate(State(Kind.NEWER, 3, 2), "accounting", embedded=embedded)


def test_a_data_dir_is_made_for_its_user_alone(tmp_path: Path) -> None:
    prepare_data_dir(tmp_path / "a" / "b")

    made = (tmp_path / "a" / "b").stat()
    assert made.st_uid == os.geteuid()
    assert made.st_mode & 0o777 == (0o710 if os.geteuid() == 0 else 0o700)  # to root's, the database's user has a way
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_data_dir_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Fault, match=r"^DATA_DIR .*/file/data cannot be written \(Not a directory\): give it to"):
        prepare_data_dir(tmp_path / "file" / "data")
