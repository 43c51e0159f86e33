"""What MS-CHAP derives of passwords is kept for those used lately, and for no more than fit."""

from radiuscore.state.ntkeys import MAX_PASSWORDS, NtKeyCache


def test_what_was_derived_of_a_password_is_kept() -> None:
    keys_of = NtKeyCache()
    assert keys_of(b"clientPass") is keys_of(b"clientPass")
    assert keys_of(b"clientPass").nt_hash_hash.hex() == "41c00c584bd2d91c4017a2a12fa59f3f"  # RFC 2759 §9.2
    assert keys_of(b"other") is not keys_of(b"clientPass")


def test_the_least_lately_used_go_first() -> None:
    keys_of = NtKeyCache(limit=3)
    first = keys_of(b"1")
    for password in (b"2", b"3", b"1", b"4"):
        keys_of(password)
    assert keys_of(b"1") is first
    assert len(keys_of) == 3


def test_the_bound_is_that_of_a_busy_server() -> None:
    keys_of = NtKeyCache(limit=100)
    for number in range(1000):
        keys_of(b"%d" % number)
        assert len(keys_of) <= 100
    assert MAX_PASSWORDS == 20_000


def test_no_repr_shows_a_password_or_what_derives_of_it() -> None:
    keys_of = NtKeyCache()
    keys = keys_of(b"canary")
    for shown in (keys_of, keys, keys.des):
        assert "canary" not in repr(shown)
        assert keys.nt_hash_hash.hex() not in repr(shown)
        assert repr(keys.nt_hash_hash) not in repr(shown)
