import tarfile

import pytest

from jaxadv.data import archive as archives
from jaxadv.data.archive import first_names, is_archive
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line, write_tar


def members(path, progress, wanted=lambda _: True, most=1 << 20):
    return archives.members(path, progress, wanted, most)


CONTENT = {f"folder/{index}.bin": bytes([index]) * 3000 for index in range(20)}
ENDINGS = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2"]
ALIASES = [".txz", ".tbz2", ".tbz"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_members_in_every_compression(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    write_tar(path, CONTENT)
    assert is_archive(path)
    assert dict(members(path, False)) == CONTENT


@pytest.mark.parametrize("named", ENDINGS + ALIASES)
@pytest.mark.parametrize("packed", ENDINGS)
def test_the_contents_say_how_an_archive_is_packed(tmp_path, named, packed):
    write_tar(tmp_path / f"a{packed}", CONTENT)
    path = (tmp_path / f"a{packed}").rename(tmp_path / f"b{named}")
    assert is_archive(path)
    assert dict(members(path, False)) == CONTENT
    assert first_names(path, 3) == list(CONTENT)[:3]


def test_first_names_leave_faults_to_members(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"<html>404</html>" * 200)
    assert first_names(tmp_path / "a.tar.gz", 3) == []


def test_links_and_folders_are_passed_over(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert list(members(path, False)) == []


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.8])
def test_a_truncated_archive_is_named(tmp_path, ending, keep):
    path = tmp_path / f"a{ending}"
    write_tar(path, CONTENT)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UserError) as error:
        list(members(path, False))
    assert_one_line(error, path, "not a complete tar archive", "download it again")


def test_a_plain_archive_cut_between_two_members_is_noticed(tmp_path):
    path = tmp_path / "a.tar"
    write_tar(path, CONTENT)
    size = 512 + 3072  # a header and 3,000 bytes in blocks of 512
    path.write_bytes(path.read_bytes()[: 10 * size])
    with pytest.raises(UserError) as error:
        list(members(path, False))
    assert_one_line(error, path, "no end-of-archive blocks")


def test_a_damaged_checksum_at_the_end_is_noticed(tmp_path):
    path = tmp_path / "a.tar.gz"
    write_tar(path, CONTENT)
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        list(members(path, False))
    assert_one_line(error, path, "CRC")


def test_a_page_instead_of_an_archive_is_named(tmp_path):
    for ending in ENDINGS:
        path = tmp_path / f"a{ending}"
        path.write_bytes(b"<html>404</html>" * 200)
        with pytest.raises(UserError) as error:
            list(members(path, False))
        assert_one_line(error, path, "download it again")


def test_other_files_are_no_archives(tmp_path):
    (tmp_path / "a.zip").touch()
    (tmp_path / "b.tar").mkdir()
    assert not is_archive(tmp_path / "a.zip")
    assert not is_archive(tmp_path / "b.tar")
